import RabbitMQ

extension Message {
    /// A message with the headers of a final failure was moved out of a dead queue by other means than this program's, and counts as
    /// one replay more.
    var broughtBack: Message {
        guard self.properties.headers[DeadLetterHeader.reason] != nil else { return self }
        return self.with {
            $0.headers[DeadLetterHeader.replayCount] = .int64(
                Int64(DeadLetterHeader.replayCount(of: self) + 1)
            )
            for name in DeadLetterHeader.ofDeath + DeadLetterHeader.ofOrigin + DeadLetterHeader.ofBroker {
                $0.headers[name] = nil
            }
        }
    }

    /// The routing key that a dead-letter message had before its death, if it came by `exchange` then.
    func routingKeyBeforeDeath(on exchange: String) -> String? {
        let headers = self.properties.headers
        guard headers[DeadLetterHeader.reason] != nil, headers[DeadLetterHeader.exchange]?.string == exchange
        else { return nil }
        return headers[DeadLetterHeader.routingKey]?.string
    }
}
