/// What went wrong between this process and PostgreSQL; it holds no bound value and no password.
package struct PostgresError: Error, Sendable, CustomStringConvertible {
    /// The kinds of failure that callers tell apart.
    package enum Code: String, Sendable {
        case connectionFailed, connectionLost, closed, deadlineExceeded, poolExhausted
        case serverUnavailable, readOnly, diskFull
        case serializationFailure, deadlock, lockTimeout
        case constraintViolation, invalidValue, rejected
    }

    package let code: Code

    /// What was being done: `connect`, or the first words of the statement.
    package let operation: String

    /// The five characters of the server, where it has spoken (PostgreSQL manual, appendix A).
    package let sqlState: String?

    /// The constraint that was violated.
    package let constraint: String?

    /// What the server or the library said; never its detail, which quotes values.
    package let message: String

    package init(
        _ code: Code,
        during operation: String,
        sqlState: String? = nil,
        constraint: String? = nil,
        _ message: String,
    ) {
        self.code = code
        self.operation = operation
        self.sqlState = sqlState
        self.constraint = constraint
        self.message = message
    }

    /// Whether the same transaction may succeed when it is repeated at once.
    package var isRetryable: Bool {
        switch self.code {
        case .serializationFailure, .deadlock, .lockTimeout: true
        default: false
        }
    }

    /// Whether the server or the way to it is at fault, and not the statement: wait, and repeat.
    package var isUnavailable: Bool {
        switch self.code {
        case .connectionFailed, .connectionLost, .closed, .deadlineExceeded, .poolExhausted: true
        case .serverUnavailable, .readOnly, .diskFull: true
        case .serializationFailure, .deadlock, .lockTimeout: false
        case .constraintViolation, .invalidValue, .rejected: false
        }
    }

    package var description: String {
        let state = self.sqlState.map { " (SQLSTATE \($0))" } ?? ""
        let constraint = self.constraint.map { ", constraint \($0)" } ?? ""
        return "\(self.operation): \(self.code.rawValue)\(state)\(constraint): \(self.message)"
    }
}

extension PostgresError.Code {
    /// What a SQLSTATE means to a caller.
    init(sqlState: String) {
        switch sqlState {
        case "40001": self = .serializationFailure
        case "40P01": self = .deadlock
        case "55P03": self = .lockTimeout
        case "25006": self = .readOnly
        case "53100": self = .diskFull
        case "57014": self = .deadlineExceeded
        case _ where sqlState.hasPrefix("08") || sqlState.hasPrefix("57P") || sqlState.hasPrefix("53"):
            self = .serverUnavailable
        case _ where sqlState.hasPrefix("23"): self = .constraintViolation
        case _ where sqlState.hasPrefix("22"): self = .invalidValue
        default: self = .rejected
        }
    }
}
