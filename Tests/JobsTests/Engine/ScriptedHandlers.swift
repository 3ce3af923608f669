import Jobs
import Postgres
import Synchronization

/// A payload with nothing in it but what the job must hold alone.
struct AnyPayload: Decodable, Sendable {
    let key: String?

    init(from decoder: any Decoder) throws {
        let key = try PayloadFields(decoder).read(only: PayloadField<LockKey?>.optional("key"))
        self.key = key?.text
    }
}

/// Any text.
struct LockKey: PayloadValue {
    static let requirement = "text"
    let text: String

    init?(wire: String) { self.text = wire }
}

/// An acting handler whose tries go as a test says, and which counts them.
final class Scripted: JobHandler {
    static let kind: JobKind = "disk.scripted"
    let deadline: Duration?

    private let script: @Sendable (_ call: Int, Job<AnyPayload>) async throws -> Fate
    private let state = Mutex((calls: 0, running: 0, together: 0))

    init(
        deadline: Duration? = nil,
        _ script: @escaping @Sendable (_ call: Int, Job<AnyPayload>) async throws -> Fate,
    ) {
        self.deadline = deadline
        self.script = script
    }

    var calls: Int { self.state.withLock { $0.calls } }

    /// The most tries that ran at one time.
    var together: Int { self.state.withLock { $0.together } }

    func exclusiveKey(for payload: AnyPayload) -> String? { payload.key }

    func act(on job: Job<AnyPayload>) async throws -> Fate {
        let call = self.state.withLock { state in
            state.calls += 1
            state.running += 1
            state.together = max(state.together, state.running)
            return state.calls
        }
        defer { self.state.withLock { $0.running -= 1 } }
        return try await self.script(call, job)
    }

    static let done = Fate.success(Success(subject: EventSubject("disk", "alice", "home"), data: ["x": 1]))
}

/// Writes one row that must be the first of its name.
struct Recorded: RowJobHandler {
    static let kind: JobKind = "disk.recorded"

    func record(_ job: Job<AnyPayload>) -> Success {
        Success(
            subject: EventSubject("disk", job.payload.key ?? ""),
            data: ["x": 1],
            writes: [Write("INSERT INTO disks (user_id, disk_name) VALUES ('alice', \(job.payload.key))")]
        )
    }

    func resolve(_ conflict: PostgresError, of job: Job<AnyPayload>, in database: PostgresPool) async throws
        -> Fate
    {
        .rejected(Reason("disk-exists", "there is one of that name"))
    }
}

extension KindTable {
    init(_ scripted: Scripted) {
        self.init()
        self.register(scripted)
        self.register(Recorded())
    }
}
