import EventLoops

/// Messages that one caller published together and awaits together.
///
/// Used on the loop only.
final class PublishBatch {
    typealias Outcome = Result<[PublishOutcome], RabbitMQError>

    private var outcomes: [PublishOutcome?]
    private var openCount: Int
    private var waiting: CheckedContinuation<Outcome, Never>?
    private var deadline: LoopTimer?

    init(count: Int, waiting: CheckedContinuation<Outcome, Never>) {
        self.outcomes = Array(repeating: nil, count: count)
        self.openCount = count
        self.waiting = waiting
    }

    /// Whether nobody waits for it any more.
    var isOver: Bool { self.waiting == nil }

    func setDeadline(_ timer: LoopTimer) { self.deadline = timer }

    /// Notes what became of one message; true once all have an outcome.
    func settle(_ index: Int, _ outcome: PublishOutcome) -> Bool {
        guard self.outcomes[index] == nil else { return false }
        self.outcomes[index] = outcome
        self.openCount -= 1
        guard self.openCount == 0 else { return false }
        self.finish(.success(self.outcomes.compactMap(\.self)))
        return true
    }

    func finish(_ outcome: Outcome) {
        self.deadline?.cancel()
        self.waiting?.resume(returning: outcome)
        self.waiting = nil
    }
}
