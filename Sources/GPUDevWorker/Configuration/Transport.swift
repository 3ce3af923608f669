import Postgres
import RabbitMQ

/// How the bytes travel to a service that gets passwords and users' data.
struct Transport: Sendable, CustomStringConvertible {
    /// For people.
    let description: String

    /// The host to which somebody on the way could read along, or pass himself off as; nil where nobody can.
    let exposedHost: String?

    init(_ servers: PostgresServers) {
        let remote = servers.hosts.first { !Self.isOfThisMachine($0) }
        if servers.tlsMode == "verify-full" {
            (self.description, self.exposedHost) = ("verified TLS", nil)
        } else if let remote {
            self.description = "not safe from others on the network (sslmode=\(servers.tlsMode))"
            self.exposedHost = remote
        } else {
            (self.description, self.exposedHost) = ("within this machine (sslmode=\(servers.tlsMode))", nil)
        }
    }

    init(_ broker: RabbitMQConfiguration) {
        if broker.usesTLS {
            (self.description, self.exposedHost) = ("verified TLS", nil)
        } else if Self.isOfThisMachine(broker.host) {
            (self.description, self.exposedHost) = ("plaintext within this machine", nil)
        } else {
            self.description = "plaintext, not safe from others on the network"
            self.exposedHost = broker.host
        }
    }

    /// A socket of the file system or of Linux, or a loopback address (RFC 1122, 3.2.1.3; RFC 4291, 2.5.3).
    private static func isOfThisMachine(_ host: String) -> Bool {
        if host.isEmpty || host.hasPrefix("/") || host.hasPrefix("@") { return true }
        if ["localhost", "::1"].contains(host.lowercased()) { return true }
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }
}
