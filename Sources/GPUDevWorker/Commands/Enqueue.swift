import ArgumentParser
import FoundationEssentials
import Jobs
import RabbitMQ
import Traces

/// `enqueue`: one job by hand, or those of a file.
struct Enqueue: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Enqueue a job, or a file of jobs, and print the ids.",
        discussion: """
            The payload is an argument, --payload @FILE, or standard input. Kind and payload are checked first. With \
            --wait a second line is the data of the job's event, in JSON.

            Each line of a --file is a JSON object with kind and payload, and if need be job_id, run_at, unique_key and \
            traceparent. All of the file is enqueued, or nothing if a line is wrong. The ids of lines without one follow \
            from their text, so that a file can be sent again and makes no job twice.
            """
    )

    @Argument(help: "What the job does, such as disk.create.")
    var kind: String?

    @Argument(help: "The payload, a JSON object.")
    var json: String?

    @Option(help: "The payload, or @FILE.")
    var payload: String?

    @Option(help: "The job's id, a UUID; the same id never runs twice.")
    var id: String?

    @Option(help: "Not before this time (RFC 3339).")
    var at: String?

    @Option(
        help:
            "A key that one unfinished job can hold: if there is one, nothing is enqueued and its id is printed."
    )
    var uniqueKey: String?

    @Option(help: "Enqueue the jobs of a file, one JSON object a line; - for standard input.")
    var file: String?

    @Flag(
        help:
            "With --file: leave out the lines that are wrong, and enqueue the rest; exit code 2 if there were any."
    )
    var keepGoing = false

    @Flag(help: "Only report what the job would destroy, for kinds that know how (payload field dry_run).")
    var dryRun = false

    @Flag(help: "Wait until the job has ended, and print its completion event; exit code 1 if it is dead.")
    var wait = false

    @Option(help: "How long to wait at most, such as 30s or 10m.")
    var timeout = "1h"

    @Flag(help: "Enqueue a kind or a payload that only a newer worker knows.")
    var force = false

    func validate() throws {
        guard self.file == nil else { return try self.validateFile() }
        if self.kind == nil { throw ValidationError("name a kind, such as disk.create, or a --file") }
        if self.keepGoing { throw ValidationError("--keep-going goes with --file") }
        if self.uniqueKey != nil, self.wait {
            throw ValidationError(
                "--unique-key does not go with --wait: the job that holds the key may have ended by then"
            )
        }
        if let uniqueKey, !(1...JobRequest.longestUniqueKey ~= uniqueKey.utf8.count) {
            throw ValidationError("--unique-key must have 1 to \(JobRequest.longestUniqueKey) bytes")
        }
        if self.json != nil && self.payload != nil {
            throw ValidationError("give the payload once: as an argument or with --payload")
        }
        if let id, JobID(id) == nil { throw ValidationError("--id must be a UUID") }
        if let at, Date(rfc3339: at.uppercased()) == nil {
            throw ValidationError("--at must be a time such as 2025-01-02T03:04:05Z")
        }
    }

    func run() async throws {
        if let file { return try await self.enqueue(file: file) }
        let payload = try self.dryRun ? self.dry(self.readPayload()) : self.readPayload()
        let job = try JobSubmission(
            id: self.id.flatMap { JobID($0) } ?? JobID(),
            kind: JobKind(self.kind ?? ""),
            payload: payload,
            requestedBy: "command:\(ProcessInfo.processInfo.userName)",
            trace: Self.trace
        )
        try BuiltInKinds.check(job.kind, payload, isForced: self.force, isDryRun: self.dryRun)
        if self.uniqueKey != nil { return Terminal.print(try await self.enqueueInSQL(job).description) }
        let (broker, topology) = try await Settings.load({ $0.broker() }, { $0.topology() })
        guard !self.wait else { return try await self.sendAndWait(job, broker, topology) }
        try await Connections.withBroker(broker) { try await self.send(job, $0, topology) }
        Terminal.print(job.id.description)
    }

    func send(_ job: JobSubmission, _ connection: RabbitMQConnection, _ topology: Topology)
        async throws
    {
        if let at {
            let database = try await Settings.load { $0.database() }
            return try await Connections.withDatabase(database.pooled) {
                try await job.enqueue(at: at, in: $0)
            }
        }
        switch try await job.publish(on: connection, topology) {
        case .confirmed: return
        case .returned:
            throw Failure(
                .failed,
                "no queue takes \(job.kind): run `gpudev-worker topology declare`, or check the kind"
            )
        case .refused: throw Failure(.failed, "the broker refused the message; its queue may be full")
        case .unsendable(let error), .unanswered(let error): throw error
        }
    }

    /// The trace of whoever runs the command (OpenTelemetry, "Environment variables as context propagation carriers").
    private static var trace: TraceContext? {
        let environment = ProcessInfo.processInfo.environment
        return environment["TRACEPARENT"].flatMap {
            TraceContext(traceparent: $0, tracestate: environment["TRACESTATE"])
        }
    }

    /// The payload with `dry_run` set; what is no JSON object is left for the check that names the fault.
    private func dry(_ payload: [UInt8]) throws -> [UInt8] {
        struct Said: Decodable {
            let dryRun: Bool?
            private enum CodingKeys: String, CodingKey { case dryRun = "dry_run" }
        }
        guard let said = try? JSONDecoder().decode(Said.self, from: Data(payload)),
            let brace = payload.firstIndex(of: UInt8(ascii: "{"))
        else { return payload }
        switch said.dryRun {
        case true?: return payload
        case false?: throw Failure(.usage, "the payload says dry_run: false; leave out that or --dry-run")
        case nil:
            let rest = payload[(brace + 1)...]
            let isEmpty = rest.first { !" \t\r\n".utf8.contains($0) } == UInt8(ascii: "}")
            return payload[...brace] + Array("\"dry_run\":true\(isEmpty ? "" : ",")".utf8) + rest
        }
    }

    private func readPayload() throws -> [UInt8] {
        guard let text = self.json ?? self.payload else { return Terminal.readAll() }
        guard self.json == nil, text.hasPrefix("@") else { return [UInt8](text.utf8) }
        let path = String(text.dropFirst())
        guard let bytes = FileManager.default.contents(atPath: path) else {
            throw Failure(.usage, "the payload cannot be read from \(path)")
        }
        return [UInt8](bytes)
    }
}
