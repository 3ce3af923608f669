/// Statements that travel and fail together.
struct StatementGroup {
    /// What goes first and whose results nobody wants.
    var before: [SQL] = []
    /// What the caller asked for.
    let statements: [SQL]
    /// What goes last and whose results nobody wants.
    var after: [SQL] = []
    /// Whether the last statement has to be a commit that takes effect.
    var mustCommit = false
    /// Whether a cancelled task gives up waiting.
    var isCancellable = true

    init(_ statements: [SQL]) {
        self.statements = statements
    }
}

extension SQL {
    /// Refuses what libpq or the server could not take.
    func check(operation: String) throws(PostgresError) {
        guard self.parameters.count <= 65_535 else {
            throw PostgresError(
                .invalidValue,
                operation: operation,
                message: "a statement takes at most 65,535 parameters"
            )
        }
        guard !self.text.hasNUL else {
            throw PostgresError(.invalidValue, operation: operation, message: "the statement holds a NUL")
        }
        guard let index = self.parameters.firstIndex(where: \.hasNUL) else { return }
        throw PostgresError(
            .invalidValue,
            operation: operation,
            message: "parameter $\(index + 1) holds a NUL, which PostgreSQL cannot store in text"
        )
    }
}
