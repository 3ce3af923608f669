import EventLoops

/// Messages that one caller published together and hears of together.
///
/// Used on the loop only.
final class PublishBatch {
    private var outcomes: [PublishOutcome?]
    private var openCount: Int
    private var whenOver: (@Sendable ([PublishOutcome]) -> Void)?
    private var timer: LoopTimer?
    /// When the last message went out or was answered.
    private var lastProgress = ContinuousClock.now
    private var hasAnswer = false

    /// When the caller stops waiting, whatever happens.
    let deadline: ContinuousClock.Instant
    /// For how long nothing may move once the broker has answered for something.
    let silenceLimit: Duration

    init(
        count: Int,
        deadline: ContinuousClock.Instant,
        silenceLimit: Duration,
        whenOver: @escaping @Sendable ([PublishOutcome]) -> Void
    ) {
        self.outcomes = Array(repeating: nil, count: count)
        self.openCount = count
        self.deadline = deadline
        self.silenceLimit = silenceLimit
        self.whenOver = whenOver
    }

    /// Whether nobody waits for it any more.
    var isOver: Bool { self.whenOver == nil }

    /// When to check again whether it goes on; in the past if it has taken too long.
    var nextCheck: ContinuousClock.Instant {
        self.hasAnswer ? min(self.deadline, self.lastProgress + self.silenceLimit) : self.deadline
    }

    func setTimer(_ timer: LoopTimer) { self.timer = timer }

    /// Notes that a message went out.
    func noteProgress() { self.lastProgress = .now }

    /// Notes what became of one message; true once all have an outcome.
    func settle(_ index: Int, _ outcome: PublishOutcome) -> Bool {
        guard self.outcomes[index] == nil else { return false }
        self.outcomes[index] = outcome
        self.openCount -= 1
        self.hasAnswer = true
        self.lastProgress = .now
        guard self.openCount == 0 else { return false }
        self.finish()
        return true
    }

    /// Ends the wait; what has no outcome yet is unanswered for that reason.
    func finish(because error: RabbitMQError) {
        for index in self.outcomes.indices where self.outcomes[index] == nil {
            self.outcomes[index] = .unanswered(error)
        }
        self.openCount = 0
        self.finish()
    }

    private func finish() {
        self.timer?.cancel()
        let whenOver = self.whenOver
        self.whenOver = nil
        whenOver?(self.outcomes.compactMap(\.self))
    }
}
