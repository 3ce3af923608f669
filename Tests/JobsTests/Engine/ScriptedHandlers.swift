import Postgres
import Synchronization

@testable import Jobs

/// A payload with nothing in it but what the job must hold alone.
struct AnyPayload: JobPayload {
    private let lockKey: LockKey?

    var key: String? { self.lockKey?.text }

    static let shape = PayloadShape(
        { AnyPayload(lockKey: $0) },
        .optional("key", "What the job holds alone.")
    )
}

/// Any text.
struct LockKey: PayloadValue {
    static let requirement = "text"
    static let schema = ValueSchema.text()
    let text: String

    init?(wire: String) { self.text = wire }
}

/// Data of an event.
struct Sample: EventData {
    let number: Int

    static let shape = EventShape<Sample>(.field("number", "A number.") { $0.number })
}

extension KindDocumentation {
    static let ofTests = KindDocumentation(
        "A test",
        summary: "is a test",
        "For tests.",
        examples: [],
        authority: .init(sentBy: "tests", canHarm: "nothing", undoneBy: "nothing", provedBy: "nothing"),
        event: .init("A test", "For tests.", examples: [])
    )
}

/// An acting handler whose attempts end as a test says, and which counts them.
final class Scripted: JobHandler {
    typealias Payload = AnyPayload
    typealias Event = Sample

    static let documentation = KindDocumentation.ofTests
    static let kind: JobKind = "disk.scripted"
    let deadline: Duration?
    let retries: RetrySchedule?

    private let script: @Sendable (_ call: Int, Job<AnyPayload>) async throws -> Success
    private let state = Mutex((calls: 0, running: 0, together: 0))

    init(
        deadline: Duration? = nil,
        retries: RetrySchedule? = nil,
        _ script: @escaping @Sendable (_ call: Int, Job<AnyPayload>) async throws -> Success,
    ) {
        self.deadline = deadline
        self.retries = retries
        self.script = script
    }

    var calls: Int { self.state.withLock { $0.calls } }

    /// The most attempts that ran at one time.
    var together: Int { self.state.withLock { $0.together } }

    func exclusiveKey(for payload: AnyPayload) -> ExclusiveKey? {
        payload.key.map { ExclusiveKey(recorded: $0) }
    }

    func act(on job: Job<AnyPayload>) async throws -> Success {
        let call = self.state.withLock { state in
            state.calls += 1
            state.running += 1
            state.together = max(state.together, state.running)
            return state.calls
        }
        defer { self.state.withLock { $0.running -= 1 } }
        return try await self.script(call, job)
    }

    static let done = Success(subject: EventSubject("disk", "alice", "home"), data: Sample(number: 1))
}

/// Writes one row that must be the first of its name.
struct Recorded: RowJobHandler {
    typealias Payload = AnyPayload
    typealias Event = Sample

    static let documentation = KindDocumentation.ofTests
    static let kind: JobKind = "disk.recorded"

    func record(_ job: Job<AnyPayload>) -> Success {
        Success(
            subject: EventSubject("disk", job.payload.key ?? ""),
            data: Sample(number: 1),
            writes: [Write("INSERT INTO disks (user_id, disk_name) VALUES ('alice', \(job.payload.key))")]
        )
    }

    func resolve(_ conflict: PostgresError, of job: Job<AnyPayload>, in database: PostgresPool) async throws
        -> Success
    {
        throw Conclusion.rejected(Reason("disk-exists", "there is one of that name"))
    }
}

extension KindTable {
    init(_ scripted: Scripted) {
        self.init()
        self.register(scripted)
        self.register(Recorded())
    }
}
