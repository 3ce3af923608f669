/// Where the broker is and how to talk to it.
///
/// Its description leaves the password out.
package struct RabbitMQConfiguration: Sendable, CustomStringConvertible {
    let url: BrokerURL
    /// How often either side lets itself be heard; silence for twice as long ends the connection.
    package var heartbeat: Duration = .seconds(10)
    /// The longest that opening a connection may take, name resolution and login included.
    package var connectTimeout: Duration = .seconds(10)
    /// The longest that the broker may take to answer one request.
    package var requestTimeout: Duration = .seconds(30)
    /// A PEM file of trusted authorities; nil for those of the system (`SSL_CERT_FILE`, or Debian's bundle).
    package var caFile: String?
    /// The name that the broker shows to its operators.
    package var connectionName: String = "gpudev-worker"
    /// The largest frame in bytes.
    package var frameMax: Int = 131_072

    /// Reads `amqp://user:password@host:port/vhost?heartbeat=10` or the same with `amqps`.
    ///
    /// Parts are percent-encoded; other parameters of the query are ignored.
    package init(url: String) throws(RabbitMQError) {
        self.url = try BrokerURL(url)
        if let heartbeat = self.url.heartbeat { self.heartbeat = .seconds(heartbeat) }
    }

    /// The server's name or address.
    package var host: String { self.url.host }

    /// Whether the connection is encrypted, and the server's certificate checked.
    package var usesTLS: Bool { self.url.usesTLS }

    /// The address and the user.
    package var description: String {
        let scheme = self.url.usesTLS ? "amqps" : "amqp"
        return "\(scheme)://\(self.url.user)@\(self.url.host):\(self.url.port) vhost \(self.url.virtualHost)"
    }
}

extension RabbitMQConfiguration {
    /// A copy that `change` has been applied to.
    package func with(_ change: (inout RabbitMQConfiguration) -> Void) -> RabbitMQConfiguration {
        var copy = self
        change(&copy)
        return copy
    }
}
