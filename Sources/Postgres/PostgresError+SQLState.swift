extension PostgresError.Code {
    /// The code for an SQLSTATE (PostgreSQL manual, appendix A).
    init(sqlState: String) {
        switch sqlState {
        case "40001": self = .serializationFailure
        case "40P01": self = .deadlock
        case "55P03": self = .lockTimeout
        case "25006": self = .readOnly
        case "25P02": self = .transactionMisuse
        case "57014": self = .deadlineExceeded
        case "53100": self = .diskFull
        case "53300": self = .tooManyConnections
        case "25P03", "57P05", "40003": self = .connectionLost
        case "26000", "42P05": self = .stalePlan
        default: self.init(sqlStateClass: sqlState.prefix(2))
        }
    }

    private init(sqlStateClass: Substring) {
        switch sqlStateClass {
        case "08": self = .connectionLost
        case "22": self = .invalidValue
        case "23": self = .constraintViolation
        case "28", "3D": self = .connectionFailed
        case "3F", "42": self = .syntaxOrAccess
        case "53", "58": self = .outOfResources
        case "57": self = .serverUnavailable
        default: self = .other
        }
    }
}
