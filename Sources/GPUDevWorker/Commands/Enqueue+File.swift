import ArgumentParser
import Crypto
import FoundationEssentials
import Jobs
import Postgres

extension Enqueue {
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
        var lines = JobLines(of: try self.read(path), isForced: self.force)
        try self.allow(lines)
        let database = try await Settings.load { $0.database() }
        let jobs = try await Connections.withDatabase(database.pooled) { pool in
            do {
                return try await JobRequest.enqueue(lines.requests, in: pool)
            } catch let error as PostgresError where error.code == .invalidValue {
                lines.leaveOut(try await JobRequest.refusals(of: lines.requests[...], in: pool))
                try self.allow(lines)
                return try await JobRequest.enqueue(lines.requests, in: pool)
            }
        }
        for job in jobs { Terminal.print(job.id.description) }
        let known = jobs.count { !$0.isNew }
        if known > 0 { Terminal.complain("\(known) of \(jobs.count) jobs had been enqueued before") }
        guard lines.faults.isEmpty else {
            lines.complain()
            throw Failure(.partly, "\(lines.faults.count) lines were left out, \(jobs.count) enqueued")
        }
    }

    private func allow(_ lines: JobLines) throws {
        guard !lines.faults.isEmpty, !self.keepGoing else { return }
        lines.complain()
        throw Failure(
            .usage,
            "nothing was enqueued: \(lines.faults.count) of the lines are wrong; --keep-going leaves them out"
        )
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
}

/// The lines of a file of jobs.
private struct JobLines {
    /// The jobs of those that are in order.
    private(set) var requests: [JobRequest] = []
    /// The numbers of their lines, from 1.
    private var numbers: [Int] = []
    /// What is wrong with the others, by their numbers.
    private(set) var faults: [Int: String] = [:]

    /// How many wrong lines are named.
    private static let mostNamed = 20

    init(of file: [UInt8], isForced: Bool) {
        var copies: [JobID: Int] = [:]
        let lines = file.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        for (index, line) in lines.enumerated() where !line.allSatisfy({ " \t\r".utf8.contains($0) }) {
            do {
                var request = try JobRequest(line: Array(line))
                try BuiltInKinds.check(request.kind, request.payload, isForced: isForced)
                if request.id == nil {
                    let id = JobID(digestOf: line)
                    let copy = copies[id, default: 0]
                    copies[id] = copy + 1
                    request.id = copy == 0 ? id : id.derived(for: "copy \(copy)")
                }
                self.requests.append(request)
                self.numbers.append(index + 1)
            } catch {
                self.faults[index + 1] = Failure(error)?.lines.first ?? "\(error)"
            }
        }
    }

    /// Takes out the jobs that PostgreSQL refuses, by their places among the requests.
    mutating func leaveOut(_ refusals: [(place: Int, reason: String)]) {
        for (place, reason) in refusals.reversed() {
            self.requests.remove(at: place)
            self.faults[self.numbers.remove(at: place)] = reason
        }
    }

    /// Says what is wrong with which lines.
    func complain() {
        for (number, reason) in self.faults.sorted(by: { $0.key < $1.key }).prefix(Self.mostNamed) {
            Terminal.complain("line \(number): \(reason)")
        }
        if self.faults.count > Self.mostNamed {
            Terminal.complain("and \(self.faults.count - Self.mostNamed) more lines")
        }
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
