/// Statements that travel together, and what has been answered of them: a pure machine from answers to an outcome.
///
/// The server runs them as one transaction, unless they open one of their own, and skips what follows the first
/// failure. So the outcome is all results in order, or the first failure.
struct Pipeline {
    /// One message to the server that is answered by itself.
    enum Step: Equatable {
        case prepare(name: String, text: String)
        case execute(text: String)
    }

    /// What the connection has to remember or pass on.
    enum Action: Equatable {
        case proceed
        case remember(name: String, text: String)
        case finish
    }

    private let steps: [Step]
    private var answered = 0
    private var results: [PostgresResult] = []
    private var failure: PostgresError?

    init(_ steps: [Step]) { self.steps = steps }

    /// Takes the next answer.
    mutating func receive(_ answer: PostgresAnswer) -> Action {
        guard case .synchronised = answer else { return self.answer(self.nextStep(), with: answer) }
        return .finish
    }

    /// The results in the order of the statements, or the first failure.
    var outcome: Result<[PostgresResult], PostgresError> {
        if let failure = self.failure { return .failure(failure) }
        return .success(self.results)
    }

    private mutating func nextStep() -> Step? {
        defer { self.answered += 1 }
        return self.answered < self.steps.count ? self.steps[self.answered] : nil
    }

    private mutating func answer(_ step: Step?, with answer: PostgresAnswer) -> Action {
        switch (step, answer) {
        case (.prepare(let name, let text), .result): return .remember(name: name, text: text)
        case (.execute, .result(let result)): self.results.append(result)
        case (let step?, .failure(let failure)): self.failure = self.failure ?? self.error(failure, in: step)
        default: break
        }
        return .proceed
    }

    private func error(_ failure: PostgresAnswer.Failure, in step: Step) -> PostgresError {
        PostgresError(
            PostgresError.Code(sqlState: failure.sqlState),
            during: step.operation,
            sqlState: failure.sqlState,
            constraint: failure.constraint,
            failure.message,
        )
    }
}

extension Pipeline.Step {
    /// The first words of the statement: enough to find it, and never a value.
    var operation: String {
        let text =
            switch self {
            case .prepare(_, let text), .execute(let text): text
            }
        return text.split(whereSeparator: \.isWhitespace).prefix(4).joined(separator: " ")
    }
}
