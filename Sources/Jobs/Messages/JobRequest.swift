package import Postgres
import Traces

/// A job among others that are enqueued together, by way of PostgreSQL: an object of `enqueue_jobs`, a line of a file.
package struct JobRequest: Sendable {
    package let kind: JobKind
    /// A JSON object.
    package let payload: [UInt8]
    /// The id; one that two requests share is that of one job.
    package var id: JobID?
    /// RFC 3339; at once where it is nil.
    package var time: String?
    /// A key that one unfinished job can hold: whoever asks for another meanwhile gets that one.
    package var uniqueKey: String?
    package var traceparent: String?

    package init(_ job: JobSubmission, at time: String? = nil, uniqueKey: String? = nil) {
        self.kind = job.kind
        self.payload = job.payload
        self.id = job.id
        self.time = time
        self.uniqueKey = uniqueKey
        self.traceparent = job.trace?.traceparent
    }

    /// The longest unique key, in bytes.
    package static let longestUniqueKey = 1000
}

extension JobRequest {
    private static let names = ["kind", "payload", "job_id", "run_at", "unique_key", "traceparent"]

    /// Reads a line of a file: an object with `kind` and `payload`, and what may be left out.
    ///
    /// Throws `Malformed`, or `PayloadFaults` that name every member which is wrong.
    package init(line: [UInt8]) throws {
        let body = try JobBody(line)
        guard body.isObject else { throw PayloadFaults("line", "must be a JSON object") }
        var faults = body.names.filter { !Self.names.contains($0) }.map {
            PayloadFaults.Fault(
                path: $0.cleaned(utf8Bytes: 100),
                complaint: "is none of \(Self.names.joined(separator: ", "))"
            )
        }
        func complain(_ name: String, _ complaint: String) {
            faults.append(.init(path: name, complaint: complaint))
        }
        func text(_ name: String, _ requirement: String, _ isRight: (String) -> Bool) -> String? {
            guard let token = body[name] else { return nil }
            if let text = String(token, in: line), isRight(text) { return text }
            complain(name, "must be \(requirement)")
            return nil
        }
        let kind = text("kind", "a text such as disk.create") { !$0.isEmpty }
        if body["kind"] == nil { complain("kind", "is required") }
        let payload = body["payload"]
        if payload?.kind != .object {
            complain("payload", payload == nil ? "is required" : "must be a JSON object")
        }
        let id = text("job_id", "a UUID") { JobID($0) != nil }
        let time = text("run_at", Moment.requirement) { Moment(wire: $0) != nil }
        let key = text("unique_key", "a text of 1 to \(Self.longestUniqueKey) bytes") {
            1...Self.longestUniqueKey ~= $0.utf8.count
        }
        let trace = text("traceparent", "a text") { _ in true }
        guard faults.isEmpty, let kind, let payload else { throw PayloadFaults(faults) }
        self.kind = JobKind(kind)
        self.payload = Array(payload.bytes(in: line))
        self.id = id.flatMap { JobID($0) }
        self.time = time
        self.uniqueKey = key
        self.traceparent = trace
    }

    /// As `enqueue_jobs` takes it.
    private func append(to json: inout [UInt8]) {
        json.appendJSON(#"{"kind":"#, self.kind.name)
        if let id { json.appendJSON(#","job_id":"#, id.description) }
        if let time { json.appendJSON(#","run_at":"#, time) }
        if let uniqueKey { json.appendJSON(#","unique_key":"#, uniqueKey) }
        if let traceparent { json.appendJSON(#","traceparent":"#, traceparent) }
        json += ",\"payload\":".utf8
        json += self.payload
        json.append(UInt8(ascii: "}"))
    }
}

/// What has become of a request.
package struct EnqueuedJob: Sendable, Equatable {
    /// The job's, or that of the job that stands for the same.
    package let id: JobID
    /// Whether there was no such job before.
    package let isNew: Bool
}

extension JobRequest {
    /// How many jobs, and how many bytes of them, go in one statement.
    private static let most = (jobs: 1000, bytes: 4 << 20)

    /// Enqueues all of them, or none if one is refused; what became of each, in their order.
    package static func enqueue(_ requests: [JobRequest], in database: PostgresPool) async throws
        -> [EnqueuedJob]
    {
        try await database.transaction(within: Self.limit) { try await Self.enqueue(requests[...], in: $0) }
    }

    /// Those of the requests that PostgreSQL refuses, by their places, and why; enqueues nothing.
    ///
    /// JSON has numbers that `jsonb` does not keep, such as one of a million digits, and halves of surrogate pairs.
    package static func refusals(of requests: ArraySlice<JobRequest>, in database: PostgresPool) async throws
        -> [(place: Int, reason: String)]
    {
        do {
            try await database.transaction(within: Self.limit) { transaction in
                _ = try await Self.enqueue(requests, in: transaction)
                throw Undone()
            }
        } catch let error as PostgresError where error.code == .invalidValue {
            guard requests.count > 1 else {
                let isNumbered = error.message.hasPrefix(Self.firstPlace)
                let reason = error.message.dropFirst(isNumbered ? Self.firstPlace.count : 0)
                return [(requests.startIndex, String(reason))]
            }
            let middle = requests.startIndex + requests.count / 2
            return try await Self.refusals(of: requests[..<middle], in: database)
                + Self.refusals(of: requests[middle...], in: database)
        } catch is Undone {}
        return []
    }

    /// How `enqueue_jobs` begins what it says of the first of its jobs.
    private static let firstPlace = "job 1: "

    private static let limit: Duration = .seconds(600)

    private static func enqueue(_ requests: ArraySlice<JobRequest>, in transaction: Transaction) async throws
        -> [EnqueuedJob]
    {
        var (enqueued, rest): ([EnqueuedJob], ArraySlice<JobRequest>) = ([], requests)
        while !rest.isEmpty {
            let json = Self.takeArray(from: &rest)
            let rows = try await transaction.run(
                "SELECT job_id::text AS job_id, is_new FROM enqueue_jobs(\(json)::text::jsonb)"
            ).rows
            for row in rows {
                guard let id = JobID(try row.read("job_id", as: String.self)) else { continue }
                enqueued.append(EnqueuedJob(id: id, isNew: try row.read("is_new")))
            }
        }
        return enqueued
    }

    /// As `enqueue_jobs` takes them.
    static func array(of requests: [JobRequest]) -> String {
        var rest = requests[...]
        return self.takeArray(from: &rest)
    }

    private static func takeArray(from rest: inout ArraySlice<JobRequest>) -> String {
        var (json, count) = ([UInt8(ascii: "[")], 0)
        while let job = rest.first, count == 0 || count < Self.most.jobs && json.count < Self.most.bytes {
            if count > 0 { json.append(UInt8(ascii: ",")) }
            job.append(to: &json)
            count += 1
            rest.removeFirst()
        }
        return String(decoding: json + [UInt8(ascii: "]")], as: UTF8.self)
    }
}

/// Ends a transaction that is only tried.
private struct Undone: Error {}
