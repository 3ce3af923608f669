import Tracing

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

extension StatementGroup {
    private var all: [SQL] { self.before + self.statements + self.after }

    /// What the statements do, in order and each once, such as `INSERT job_ledger; INSERT outbox`.
    var summary: String {
        var summaries: [String] = []
        for summary in self.all.map(\.summary) where !summaries.contains(summary) {
            summaries.append(summary)
        }
        return summaries.joined(separator: "; ")
    }

    /// Tells a span, which has the summary for its name, what OpenTelemetry's conventions for databases name; no values, which travel apart from the text.
    func describe(on span: any Span) {
        span.updateAttributes { attributes in
            attributes["db.system.name"] = "postgresql"
            attributes["db.query.summary"] = span.operationName
            attributes["db.query.text"] = self.all.map(\.text).joined(separator: ";\n")
            if self.all.count > 1 { attributes["db.operation.batch.size"] = self.all.count }
        }
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
        guard !self.outline.hasNUL else {
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
