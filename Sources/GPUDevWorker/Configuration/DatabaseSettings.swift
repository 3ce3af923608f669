import Postgres

/// The two ways to PostgreSQL.
struct DatabaseSettings: Sendable {
    /// For everything that is a transaction of its own; a pooler may stand in between.
    let pooled: PostgresConfiguration
    /// For what needs a session: locks, LISTEN, migrations.
    let direct: PostgresConfiguration
    /// How the bytes of the first travel.
    let transport: Transport
}
