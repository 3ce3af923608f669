import CPostgres

/// The servers that a connection may lead to, and whether it makes sure that it is one of them.
package struct PostgresServers: Sendable, Equatable {
    /// Names, addresses, or directories of sockets; empty for libpq's own socket.
    package let hosts: [String]

    /// libpq's `sslmode`; only `verify-full` keeps out whoever stands in between.
    package let tlsMode: String
}

extension PostgresConfiguration {
    /// What connection string, environment and service file say together (PostgreSQL manual, 34.1.2 and 34.15).
    ///
    /// - Throws: `connectionFailed` for a connection string that libpq cannot read.
    package func servers() throws(PostgresError) -> PostgresServers {
        let given = try ConnectionParameters.values(in: self.connectionString)
        // A service that the string names is looked up by libpq alone; what it says stays unknown here.
        if let service = given["service"] {
            return PostgresServers(hosts: ["the service \(service)"], tlsMode: given["sslmode"] ?? "unknown")
        }
        let values = ConnectionParameters.defaults().merging(given) { $1 }
        let names = Self.list(values["host"])
        let addresses = Self.list(values["hostaddr"])
        let hosts = (0..<max(names.count, addresses.count)).map { index in
            let address = index < addresses.count ? addresses[index] : ""
            return address.isEmpty && index < names.count ? names[index] : address
        }
        return PostgresServers(hosts: hosts, tlsMode: values["sslmode"] ?? "prefer")
    }

    private static func list(_ text: String?) -> [String] {
        guard let text, !text.isEmpty else { return [] }
        return text.split(separator: ",", omittingEmptySubsequences: false).map { String($0) }
    }
}
