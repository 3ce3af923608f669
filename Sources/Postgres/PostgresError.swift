/// Why something asked of PostgreSQL was not done.
///
/// The description is complete, and safe to log: values that were bound to the statement, and passwords, are
/// left out of it and of `message`.
package struct PostgresError: Error, Sendable {
    /// The kinds of failure that callers tell apart.
    package enum Code: String, Sendable {
        /// No connection could be made: address, name, password, TLS, or the server said no.
        case connectionFailed
        /// The connection ended, or was closed, before the answer came; the outcome may be either.
        case connectionLost
        /// The server is starting up, shutting down or recovering.
        case serverUnavailable
        /// The server has no room for another connection.
        case tooManyConnections
        /// The server is out of memory, files or another resource than disk space.
        case outOfResources
        /// The server's disk is full.
        case diskFull
        /// The server accepts no writes; it is a replica now.
        case readOnly
        /// The time given to the call, or the server's own limit for a statement, has passed.
        case deadlineExceeded
        /// The caller's task was cancelled.
        case cancelled
        /// No connection became free in time.
        case poolExhausted
        /// The pool or the connection was closed by its owner.
        case closed
        /// A unique, foreign key, not-null, check or exclusion constraint.
        case constraintViolation
        /// The transaction collided with another one; doing it again may succeed.
        case serializationFailure
        /// The server broke up a deadlock; doing it again may succeed.
        case deadlock
        /// A lock was not to be had in time; doing it again may succeed.
        case lockTimeout
        /// The session's prepared statement does not fit the tables any more; doing it again succeeds.
        case stalePlan
        /// A value does not fit its type, or holds what PostgreSQL cannot store.
        case invalidValue
        /// The statement is wrong, or the role may not do it.
        case syntaxOrAccess
        /// A write in a transaction that was opened read-only.
        case readOnlyTransaction
        /// A transaction was used in a way that cannot work: nested, after its end, or after it had failed.
        case transactionMisuse
        /// A migration that was applied already is not the one that is known here.
        case migrationMismatch
        /// Anything else the server reports.
        case other
    }

    /// The kind of failure.
    package let code: Code
    /// What was being done: `connect`, `run`, `commit`, ….
    package let operation: String
    /// What the server or the library said, without bound values.
    package let message: String
    /// The five-character code of the server, if it was the server that refused (PostgreSQL manual, appendix A).
    package let sqlState: String?
    /// The name of the constraint that stood in the way.
    package let constraint: String?
    /// The name of the table concerned.
    package let table: String?
    /// Which of the statements that the caller sent together the server refused, counted from 0; nil if it was none of
    /// them, such as a commit, or if that is not known.
    package let statement: Int?
    /// The failure behind this one.
    package let underlying: (any Error)?

    init(
        _ code: Code,
        operation: String,
        message: String,
        sqlState: String? = nil,
        constraint: String? = nil,
        table: String? = nil,
        statement: Int? = nil,
        underlying: (any Error)? = nil,
    ) {
        self.code = code
        self.operation = operation
        self.message = message
        self.sqlState = sqlState
        self.constraint = constraint
        self.table = table
        self.statement = statement
        self.underlying = underlying
    }

    /// The same failure under another code, and of the caller's statement with this number.
    func with(_ code: Code, statement: Int?) -> PostgresError {
        PostgresError(
            code,
            operation: self.operation,
            message: self.message,
            sqlState: self.sqlState,
            constraint: self.constraint,
            table: self.table,
            statement: statement,
            underlying: self.underlying
        )
    }

    /// Whether the same transaction, done again at once, may well succeed.
    package var isRetryable: Bool {
        switch self.code {
        case .serializationFailure, .deadlock, .lockTimeout, .stalePlan: true
        default: false
        }
    }

    /// Whether the server or the connection was at fault, and not the statement.
    package var isConnectionLost: Bool {
        switch self.code {
        case .connectionFailed, .connectionLost, .serverUnavailable, .tooManyConnections, .outOfResources,
            .diskFull, .readOnly, .deadlineExceeded, .poolExhausted, .closed:
            true
        default: false
        }
    }

    /// Whether tables, functions or the role's rights are not what the statement needs, whatever its values: somebody
    /// has to change that before the same statement can succeed.
    package var isAboutSchema: Bool { self.code == .syntaxOrAccess && self.sqlState != nil }

    /// Whether a connection that has reported this must not be used again.
    var endsConnection: Bool {
        switch self.code {
        case .connectionFailed, .connectionLost, .serverUnavailable, .tooManyConnections, .readOnly,
            .stalePlan:
            true
        default: false
        }
    }
}

extension PostgresError: CustomStringConvertible {
    package var description: String {
        let facts = [
            self.sqlState.map { "SQLSTATE \($0)" },
            self.constraint.map { "constraint \($0)" },
            self.table.map { "table \($0)" },
        ].compactMap(\.self)
        let detail = facts.isEmpty ? "" : " (" + facts.joined(separator: ", ") + ")"
        let cause = self.underlying.map { "; \($0)" } ?? ""
        return "PostgreSQL \(self.operation): \(self.code.rawValue)\(detail): \(self.message)\(cause)"
    }
}
