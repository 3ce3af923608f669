/// The parts of an `amqp` or `amqps` URL, as the AMQP URI specification of RabbitMQ divides it.
struct BrokerURL: Sendable, Equatable {
    var usesTLS: Bool
    var user = "guest"
    var password = "guest"
    var host = "localhost"
    var port: UInt16
    /// The path, where none and an empty one both mean `/`.
    var virtualHost = "/"
    /// Seconds.
    var heartbeat: Int?

    init(_ text: String) throws(RabbitMQError) {
        guard let (scheme, afterScheme) = text.split(at: "://") else { throw BrokerURL.fault("no scheme") }
        switch scheme.lowercased() {
        case "amqp": (self.usesTLS, self.port) = (false, 5672)
        case "amqps": (self.usesTLS, self.port) = (true, 5671)
        default: throw BrokerURL.fault("the scheme is neither amqp nor amqps")
        }
        let (hierarchy, query) = afterScheme.split(at: "?") ?? (afterScheme, "")
        let (authority, path) = hierarchy.split(at: "/") ?? (hierarchy, "")
        try self.readAuthority(authority)
        try self.readPath(path)
        try self.readQuery(query)
    }

    private mutating func readAuthority(_ authority: Substring) throws(RabbitMQError) {
        var address = authority
        if let at = authority.lastIndex(of: "@") {
            address = authority[authority.index(after: at)...]
            let (user, password) = authority[..<at].split(at: ":") ?? (authority[..<at], "")
            self.user = try BrokerURL.decode(user, of: "user")
            self.password = try BrokerURL.decode(password, of: "password")
        }
        try self.readAddress(address)
    }

    private mutating func readAddress(_ address: Substring) throws(RabbitMQError) {
        var (host, port): (Substring, Substring?) = (address, nil)
        if address.hasPrefix("[") {
            guard let (inner, rest) = address.dropFirst().split(at: "]") else {
                throw BrokerURL.fault("the address has no closing bracket")
            }
            guard rest.isEmpty || rest.hasPrefix(":") else {
                throw BrokerURL.fault("no port after the bracket")
            }
            (host, port) = (inner, rest.isEmpty ? nil : rest.dropFirst())
        } else if let parts = address.split(at: ":") {
            (host, port) = parts
        }
        if !host.isEmpty { self.host = try BrokerURL.decode(host, of: "host") }
        guard let port, !port.isEmpty else { return }
        guard let number = UInt16(port), number > 0 else { throw BrokerURL.fault("the port is no port") }
        self.port = number
    }

    private mutating func readPath(_ path: Substring) throws(RabbitMQError) {
        guard !path.contains("/") else {
            throw BrokerURL.fault("the path has several segments; a slash in a virtual host is %2F")
        }
        if !path.isEmpty { self.virtualHost = try BrokerURL.decode(path, of: "virtual host") }
    }

    private mutating func readQuery(_ query: Substring) throws(RabbitMQError) {
        for item in query.split(separator: "&") {
            guard let (name, value) = item.split(at: "="), name == "heartbeat" else { continue }
            guard let seconds = Int(value), 0...65_535 ~= seconds else {
                throw BrokerURL.fault("the heartbeat is no number of seconds")
            }
            self.heartbeat = seconds
        }
    }

    private static func decode(_ text: Substring, of part: String) throws(RabbitMQError) -> String {
        var bytes: [UInt8] = []
        var rest = text.utf8
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            let digits = Substring(rest.prefix(2))
            guard digits.utf8.count == 2, digits.allSatisfy(\.isHexDigit),
                let value = UInt8(digits, radix: 16)
            else { throw BrokerURL.fault("the \(part) has a broken percent-encoding") }
            bytes.append(value)
            rest = rest.dropFirst(2)
        }
        guard !bytes.contains(0), let decoded = String(validating: bytes, as: UTF8.self) else {
            throw BrokerURL.fault("the \(part) is no text")
        }
        return decoded
    }

    private static func fault(_ message: String) -> RabbitMQError {
        RabbitMQError(.invalidURL, during: "configuration", message)
    }
}

extension StringProtocol where SubSequence == Substring {
    /// What is before and after the first occurrence of `separator`; nil where there is none.
    fileprivate func split(at separator: String) -> (Substring, Substring)? {
        guard let range = self.firstRange(of: separator) else { return nil }
        return (self[..<range.lowerBound], self[range.upperBound...])
    }
}
