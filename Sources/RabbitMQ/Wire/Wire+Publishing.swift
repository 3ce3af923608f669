import CRabbitMQ

extension Wire {
    /// Sends the method frame of a publish; header and body must follow.
    func publish(_ outgoing: OutgoingMessage) -> CInt {
        self.send(AMQP_BASIC_PUBLISH_METHOD, amqp_basic_publish_t()) { method, writer in
            method.exchange = writer.bytes(outgoing.exchange)
            method.routing_key = writer.bytes(outgoing.routingKey)
            method.mandatory = outgoing.mandatory ? 1 : 0
        }
    }

    /// Sends one verdict about a delivery.
    func send(_ frame: Acknowledgements.Frame) -> CInt {
        let number = frame.number
        return switch frame.verdict {
        case .acknowledge: amqp_basic_ack(self.state, Wire.channel, number, frame.multiple ? 1 : 0)
        case .giveBack: amqp_basic_nack(self.state, Wire.channel, number, 0, 1)
        case .reject: amqp_basic_reject(self.state, Wire.channel, number, 0)
        }
    }
}
