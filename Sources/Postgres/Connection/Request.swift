import CPostgres

/// One group of statements under way on a connection: sent together, failing together, answered together.
///
/// Used on the connection's loop only.
final class Request {
    typealias Outcome = Result<[PostgresResult], PostgresError>

    enum Step {
        /// `place` is that among the caller's statements, if it is one of them.
        case prepare(SQL, place: Int?)
        case execute(SQL, place: Int?)
    }

    let id: Int
    let operation: String
    let deadline: ContinuousClock.Instant
    let isScript: Bool
    /// Whether the last statement has to be a commit that takes effect.
    var mustCommit = false
    /// Whether it is part of a transaction that was opened read-only.
    var isReadOnly = false
    private var continuation: CheckedContinuation<Outcome, Never>?
    private var isFinished = false
    private(set) var error: PostgresError?
    /// For a commit, the command of the last result as the server names it.
    private(set) var lastCommand: String?
    private var steps: [Step] = []
    private var results: [PostgresResult] = []
    private var position = 0
    private var hasResult = false

    init(id: Int, operation: String, deadline: ContinuousClock.Instant, isScript: Bool = false) {
        self.id = id
        self.operation = operation
        self.deadline = deadline
        self.isScript = isScript
    }

    func append(_ step: Step) {
        self.steps.append(step)
    }

    /// Takes the result of the current step.
    ///
    /// - Returns: The statement that this settles the preparation of, and whether it is prepared now.
    func take(_ result: ResultHandle) -> (outline: StatementOutline, isPrepared: Bool)? {
        self.hasResult = true
        let step = self.position < self.steps.count ? self.steps[self.position] : nil
        let isSuccess = self.check(result, of: step)
        switch step {
        case .prepare(let sql, _): return (sql.outline, isSuccess)
        case .execute(_, let place):
            if isSuccess && self.mustCommit { self.lastCommand = result.command }
            if isSuccess && place != nil { self.results.append(PostgresResult(result)) }
            return nil
        case nil: return nil
        }
    }

    private func check(_ result: ResultHandle, of step: Step?) -> Bool {
        switch result.status {
        case PGRES_COMMAND_OK, PGRES_TUPLES_OK, PGRES_EMPTY_QUERY: return true
        case PGRES_FATAL_ERROR:
            let error = result.error(operation: self.operation, values: step?.sql.parameters ?? [])
            let isAsked = error.code == .readOnly && self.isReadOnly
            self.fail(error.with(isAsked ? .readOnlyTransaction : error.code, statement: step?.place))
        case PGRES_PIPELINE_ABORTED: break
        default:
            self.fail(
                PostgresError(.syntaxOrAccess, operation: self.operation, message: "COPY is not supported")
            )
        }
        return false
    }

    /// Goes on to the next step; false if there was no result to go on from.
    func endStep() -> Bool {
        guard self.hasResult else { return false }
        self.hasResult = false
        self.position += 1
        return true
    }

    /// Keeps the first error.
    func fail(_ error: PostgresError) {
        self.error = self.error ?? error
    }

    /// Closes the request, once; whoever waits for the answer gets it.
    func finish() {
        if self.mustCommit, self.error == nil, self.lastCommand != "COMMIT" {
            self.fail(TransactionState.misuse("a statement had failed before, so all was rolled back"))
        }
        self.isFinished = true
        self.giveAnswer()
    }

    /// Takes who waits for the answer, which may be there already.
    func wait(_ continuation: CheckedContinuation<Outcome, Never>) {
        self.continuation = continuation
        if self.isFinished { self.giveAnswer() }
    }

    private func giveAnswer() {
        self.continuation?.resume(returning: self.error.map { .failure($0) } ?? .success(self.results))
        self.continuation = nil
    }
}

extension Request.Step {
    fileprivate var sql: SQL {
        switch self {
        case .prepare(let sql, _), .execute(let sql, _): sql
        }
    }

    fileprivate var place: Int? {
        switch self {
        case .prepare(_, let place), .execute(_, let place): place
        }
    }
}
