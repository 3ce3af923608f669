/// How to reach PostgreSQL, and how to treat it.
package struct PostgresConfiguration: Sendable {
    /// A URI or keywords, as libpq takes them; what it leaves out comes from libpq's own `PG…` variables.
    package var connectionString: String

    /// What `pg_stat_activity` shows.
    package var applicationName = "gpudev-worker"

    /// In whole seconds.
    package var connectTimeout: Duration = .seconds(10)

    /// After how long without an answer the other side counts as gone.
    package var silenceTimeout: Duration = .seconds(15)

    /// The most connections that a pool opens.
    package var maximumConnections = 16

    package init(_ connectionString: String) { self.connectionString = connectionString }

    /// The parameters for libpq, beside what the connection string says.
    var parameters: [(String, String)] {
        [
            ("dbname", self.connectionString),
            ("fallback_application_name", self.applicationName),
            ("connect_timeout", "\(self.connectTimeout.components.seconds)"),
            ("client_encoding", "UTF8"),
            ("keepalives_idle", "5"),
            ("keepalives_interval", "5"),
            ("keepalives_count", "3"),
            ("tcp_user_timeout", "\(self.silenceTimeout.components.seconds * 1000)"),
        ]
    }
}
