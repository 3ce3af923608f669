import ArgumentParser
import Crypto
import FoundationEssentials
import Jobs
import Postgres

extension Enqueue {
    /// How many wrong lines are named.
    private static let mostComplaints = 20

    func validateFile() throws {
        let others: [(String, Bool)] = [
            ("a kind", self.kind != nil), ("--payload", self.payload != nil), ("--id", self.id != nil),
            ("--at", self.at != nil), ("--unique-key", self.uniqueKey != nil), ("--wait", self.wait),
            ("--dry-run", self.dryRun),
        ]
        if let other = others.first(where: \.1) {
            throw ValidationError("\(other.0) does not go with --file, whose lines say it all")
        }
    }

    /// Enqueues the jobs of a file and prints their ids, a line each.
    func enqueue(file path: String) async throws {
        let (requests, complaints) = self.requests(in: try self.read(path))
        for complaint in complaints.prefix(Self.mostComplaints) { Terminal.complain(complaint) }
        if complaints.count > Self.mostComplaints {
            Terminal.complain("and \(complaints.count - Self.mostComplaints) more lines")
        }
        guard complaints.isEmpty || self.keepGoing else {
            throw Failure(
                .usage,
                "nothing was enqueued: \(complaints.count) of the lines are wrong; --keep-going leaves them out"
            )
        }
        let database = try await Settings.load { $0.database() }
        let jobs = try await Connections.withDatabase(database.pooled) {
            try await JobRequest.enqueue(requests, in: $0)
        }
        for job in jobs { Terminal.print(job.id.description) }
        let known = jobs.count { !$0.isNew }
        if known > 0 { Terminal.complain("\(known) of \(jobs.count) jobs had been enqueued before") }
        guard complaints.isEmpty else {
            throw Failure(.partly, "\(complaints.count) lines were left out, \(jobs.count) enqueued")
        }
    }

    /// Enqueues one job by way of PostgreSQL; the id of the one that stands for the same, if there is one.
    func enqueueInSQL(_ job: JobSubmission) async throws -> JobID {
        let database = try await Settings.load { $0.database() }
        let request = JobRequest(job, at: self.at, uniqueKey: self.uniqueKey)
        return try await Connections.withDatabase(database.pooled) {
            try await JobRequest.enqueue([request], in: $0)
        }.first?.id ?? job.id
    }

    private func read(_ path: String) throws -> [UInt8] {
        if path == "-" { return Terminal.readAll() }
        guard let bytes = FileManager.default.contents(atPath: path) else {
            throw Failure(.usage, "the file \(path) cannot be read")
        }
        return [UInt8](bytes)
    }

    /// The jobs of the lines that are in order, and what is wrong with the others.
    private func requests(in file: [UInt8]) -> (requests: [JobRequest], complaints: [String]) {
        var (requests, complaints): ([JobRequest], [String]) = ([], [])
        var copies: [JobID: Int] = [:]
        let lines = file.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        for (index, line) in lines.enumerated() where !line.allSatisfy({ " \t\r".utf8.contains($0) }) {
            do {
                var request = try JobRequest(line: Array(line))
                try BuiltInKinds.check(request.kind, request.payload, isForced: self.force)
                if request.id == nil {
                    let id = JobID(digestOf: line)
                    let copy = copies[id, default: 0]
                    copies[id] = copy + 1
                    request.id = copy == 0 ? id : id.derived(for: "copy \(copy)")
                }
                requests.append(request)
            } catch {
                let reason = Failure(error)?.lines.first ?? "\(error)"
                complaints.append("line \(index + 1): \(reason)")
            }
        }
        return (requests, complaints)
    }
}

extension JobID {
    /// The id that follows from a text: a UUID of version 8 (RFC 9562, section 5.8) of its SHA-256.
    fileprivate init(digestOf text: some Sequence<UInt8>) {
        var bytes = Array(SHA256.hash(data: Array(text)).prefix(16))
        bytes[6] = bytes[6] & 0x0F | 0x80
        bytes[8] = bytes[8] & 0x3F | 0x80
        self.init(UUID(bytes: bytes))
    }
}
