import Postgres

/// An exchange, without the prefix of its name.
enum Destination: String, PostgresBindable, PostgresReadable {
    case jobs, events, dead
}
