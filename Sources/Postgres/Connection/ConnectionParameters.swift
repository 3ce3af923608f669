import CPostgres
import Glibc

/// The settings of one connection in libpq's terms (PostgreSQL manual, 34.1.2).
struct ConnectionParameters: Sendable {
    /// Keywords and values in libpq's order: what comes before the connection string is overridden by it.
    let pairs: [(keyword: String, value: String)]

    /// - Throws: `connectionFailed` for a connection string that libpq cannot read.
    init(_ configuration: PostgresConfiguration) throws(PostgresError) {
        let options = try Self.options(in: configuration.connectionString)
        self.pairs = [
            ("fallback_application_name", configuration.applicationName),
            ("connect_timeout", String(max(configuration.connectDeadline.components.seconds, 2))),
            ("keepalives_idle", "30"),
            ("keepalives_interval", "10"),
            ("keepalives_count", "3"),
            ("tcp_user_timeout", "30000"),
            ("dbname", configuration.connectionString),
            ("client_encoding", "UTF8"),
            ("options", configuration.usesPooler ? options : Self.sessionOptions(configuration) + options),
        ]
    }

    /// What each session starts with; options of the user's own come later and win.
    private static func sessionOptions(_ configuration: PostgresConfiguration) -> String {
        let statementTimeout = min(configuration.statementTimeout, configuration.callDeadline * 5 / 6)
        let settings = [
            ("statement_timeout", statementTimeout.wholeMilliseconds),
            ("idle_in_transaction_session_timeout", configuration.idleInTransactionTimeout.wholeMilliseconds),
            ("lock_timeout", configuration.lockTimeout.wholeMilliseconds),
            // Whoever closes a connection without waiting for the answer wants it no more.
            ("client_connection_check_interval", 5_000),
        ]
        return "-c datestyle=ISO -c timezone=UTC -c bytea_output=hex "
            + settings.map { "-c \($0.0)=\($0.1) " }.joined()
    }

    /// The `options` of the connection string, or else of the environment.
    private static func options(in string: String) throws(PostgresError) -> String {
        guard let parsed = try Self.values(in: string)["options"] else {
            return getenv("PGOPTIONS").map { String(cString: $0) } ?? ""
        }
        return parsed
    }

    /// What a connection string itself says.
    static func values(in string: String) throws(PostgresError) -> [String: String] {
        // Anything else is the bare name of a database.
        let isParsed = string.contains("=") || string.contains("://")
        return isParsed ? try Self.parse(string) : [:]
    }

    /// What libpq takes where a connection string says nothing: environment, service file, its own defaults.
    static func defaults() -> [String: String] {
        guard let options = PQconndefaults() else { return [:] }
        defer { PQconninfoFree(options) }
        return Self.values(of: options)
    }

    /// libpq's message is not passed on, since it quotes the string, password and all.
    private static func parse(_ string: String) throws(PostgresError) -> [String: String] {
        guard !string.hasNUL, let options = PQconninfoParse(string, nil) else {
            throw PostgresError(
                .connectionFailed,
                operation: "connect",
                message: "the connection string cannot be read"
            )
        }
        defer { PQconninfoFree(options) }
        return Self.values(of: options)
    }

    private static func values(of options: UnsafeMutablePointer<PQconninfoOption>) -> [String: String] {
        var values: [String: String] = [:]
        var option = options
        while let keyword = option.pointee.keyword {
            if let value = option.pointee.val {
                values[String(cString: keyword)] = String(cString: value)
            }
            option += 1
        }
        return values
    }
}

extension Duration {
    /// The whole milliseconds of a duration, as the server's settings count.
    var wholeMilliseconds: Int64 {
        self.components.seconds * 1_000 + self.components.attoseconds / 1_000_000_000_000_000
    }
}
