import Jobs
import RabbitMQ

/// A dead-letter message in short.
struct DeadLetterSummary: Encodable {
    let job_id: String
    let kind: String
    let reason: String
    let code: String
    let error: String
    let attempts: Int
    let dead_at: String?
    let queue: String
    let replay_count: Int
    let bytes: Int

    init(_ letter: DeadLetter) {
        self.job_id = letter.messageID ?? ""
        self.kind = letter.kind.name
        self.reason = letter.reason
        self.code = letter.code
        self.error = letter.error
        self.attempts = letter.attempts
        self.dead_at = letter.deadAt?.rfc3339
        self.queue = letter.queue
        self.replay_count = letter.replayCount
        self.bytes = letter.message.body.count
    }

    var line: String {
        [self.dead_at ?? "-", self.job_id, self.kind, self.reason, self.code, self.error]
            .map { $0.cleaned() }.joined(separator: "  ")
    }
}
