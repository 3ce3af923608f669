package import Tracing

/// Where PostgreSQL is and how the program behaves towards it.
///
/// TLS, several hosts, certificates and passwords are set in the connection string, in libpq's own terms.
package struct PostgresConfiguration: Sendable {
    /// A URI or keywords and values as libpq takes them; what it leaves open comes from the `PG…` variables.
    package var connectionString: String
    /// The name that the server shows for the connections, unless string or environment give one.
    package var applicationName = "gpudev-worker"
    /// How many connections a pool keeps when idle, and how many it has at most.
    package var connections = 1...20
    /// How long an unused connection above the lower bound stays open.
    package var idleLimit = Duration.seconds(300)
    /// How long making one connection may take.
    package var connectDeadline = Duration.seconds(10)
    /// How long a call may take that says nothing else, including the wait for a connection.
    package var callDeadline = Duration.seconds(30)
    /// How long the server works on one statement before it gives up by itself; where calls have less time than that,
    /// it is a little less than they have, so that nothing goes on with its locks for nobody.
    package var statementTimeout = Duration.seconds(25)
    /// How long the server lets a transaction sit idle before it ends the connection.
    package var idleInTransactionTimeout = Duration.seconds(60)
    /// How long a statement waits for a lock.
    package var lockTimeout = Duration.seconds(10)
    /// How many statements a connection keeps prepared; further ones are parsed each time.
    package var preparedStatements = 256
    /// Whether a transaction-mode pooler stands in between: then nothing is left in the session, neither prepared
    /// statements nor the three timeouts above, which have to be set on the role instead.
    package var usesPooler = false
    /// Gets a span for each round trip of a task whose trace is followed.
    package var tracer: (any Tracer)?

    /// - Parameter connectionString: A URI or keywords and values; empty for the `PG…` variables alone.
    package init(_ connectionString: String = "") {
        self.connectionString = connectionString
    }
}

extension PostgresConfiguration: CustomStringConvertible {
    /// Without the connection string, which may hold a password.
    package var description: String {
        "PostgreSQL as \(self.applicationName), \(self.connections.lowerBound) to \(self.connections.upperBound)"
            + " connections"
    }
}

extension PostgresConfiguration {
    /// A copy that `change` has been applied to.
    package func with(_ change: (inout PostgresConfiguration) -> Void) -> PostgresConfiguration {
        var copy = self
        change(&copy)
        return copy
    }
}
