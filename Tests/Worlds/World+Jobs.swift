import Foundation
import Jobs
import Platform
import Postgres
import Synchronization

extension World {
    /// Enqueues a job of a kind, with what a producer would write, and has its first attempt.
    func begin(_ task: Step.Task, _ disk: DiskName, _ zone: String, _ crash: Step.Crash) async throws {
        guard let order = try await self.order(task, disk, zone) else { return }
        try await self.send(order, crash)
    }

    /// The same for a job of a disk with fields of the caller's own.
    func send(
        _ kind: String,
        of disk: DiskName,
        _ fields: [String: String],
        _ crash: Step.Crash = .none
    ) async throws {
        let key = ["user_id": disk.user, "disk_name": disk.name]
        try await self.send(Order(kind: kind, disk: disk, fields: key.merging(fields) { $1 }), crash)
    }

    private func send(_ order: Order, _ crash: Step.Crash) async throws {
        let id = JobID(UUID(uuidString: self.nextUUID()) ?? UUID())
        let body = String(decoding: try JSONEncoder().encode(order.fields), as: UTF8.self)
        self.open.append(
            OpenJob(
                id: id,
                kind: order.kind,
                body: body,
                disk: order.disk,
                reservation: order.fields["reservation_id"]
            )
        )
        try await self.resume(self.open.count - 1, crash)
    }

    private struct Order {
        let kind: String
        let disk: DiskName?
        var fields: [String: String] = [:]
    }

    private func order(_ task: Step.Task, _ disk: DiskName, _ zone: String) async throws -> Order? {
        let key = ["user_id": disk.user, "disk_name": disk.name]
        let holder = self.holders[disk]?.reservation
        switch task {
        case .create: return Order(kind: "disk.create", disk: disk, fields: key)
        case .restore:
            var reservation = holder
            if reservation == nil { reservation = try await self.reserve(disk, "preparing") }
            let place = ["reservation_id": reservation ?? "", "availability_zone": zone]
            return Order(kind: "disk.restore", disk: disk, fields: key.merging(place) { $1 })
        case .createSnapshot:
            let held = holder.map { ["reservation_id": $0] } ?? [:]
            return Order(kind: "disk.create-snapshot", disk: disk, fields: key.merging(held) { $1 })
        case .completeSnapshot: return Order(kind: "disk.complete-snapshot", disk: disk, fields: key)
        case .release:
            guard let holder = try await self.row(disk)?.holder else { return nil }
            return Order(
                kind: "disk.release",
                disk: disk,
                fields: key.merging(["reservation_id": holder]) { $1 }
            )
        case .delete: return Order(kind: "disk.delete", disk: disk, fields: key)
        case .undelete: return Order(kind: "disk.undelete", disk: disk, fields: key)
        case .prune: return Order(kind: "disk.prune-snapshots", disk: nil)
        case .pruneOne: return Order(kind: "disk.prune-snapshots", disk: disk, fields: key)
        case .reconcileVolume:
            let volumes = self.place.peer.model.withLock { model in
                model.volumes.values.filter { $0.owner == disk }.map(\.id).sorted()
            }
            guard let volume = volumes.last else { return nil }
            return Order(kind: "disk.reconcile-volume", disk: disk, fields: ["volume_id": volume])
        case .reconcileAll: return Order(kind: "disk.reconcile-all", disk: nil)
        case .tearDown:
            guard let holder = try await self.row(disk)?.holder ?? holder else { return nil }
            let fields = ["reservation_id": holder, "status": "expired"]
            return Order(kind: "reservation.tear-down", disk: nil, fields: fields)
        case .sweep: return Order(kind: "reservation.sweep", disk: nil)
        }
    }

    /// The next attempt of a job that waits.
    func resume(_ position: Int, _ crash: Step.Crash = .none) async throws {
        var job = self.open.remove(at: position)
        guard let kind = self.place.kinds[JobKind(job.kind)] else { return }
        let prepared = try kind.prepare(try JobBody([UInt8](job.body.utf8)))
        let key: String? = if case .acting(let key, _, _) = prepared { key } else { nil }
        let results = try await self.place.database.pipeline([
            Self.selectionOfRows, Self.note(job, "running", key),
        ])
        let rows = try Self.rows(of: results[0])
        let before = self.place.peer.model.withLock { model in
            model.clearDeeds()
            if case .afterChanges(let count) = crash { model.changesLeft = count }
            model.settle()
            return model
        }
        let context = JobContext(
            attempt: 1 + job.tries,
            followsUnsettledStart: job.isUnsettled,
            waited: job.waited ?? .zero,
            deadline: .now + .seconds(60),
            logger: self.logger
        )
        let outcome = await self.outcome(prepared, job, context)
        job.tries += 1
        let (deeds, hasDied) = self.place.peer.model.withLock { ($0.deeds, $0.hasDied) }
        self.note("  \(job.kind) \(job.disk?.description ?? job.body) -> \(outcome.word)")
        for deed in deeds {
            self.note(
                "    \(deed.action) \(deed.resource) of \(deed.owner?.description ?? "nobody"), version \(deed.version)"
            )
        }
        if !deeds.isEmpty { try self.checkDeeds(deeds, of: job, rows, try await self.rows()) }
        if deeds.contains(where: { $0.action == "CreateVolume" }) {
            job.basis = Basis(rows: rows, model: before)
        }
        let isLost = hasDied || crash == .beforeRecord
        try await self.settle(job, outcome, isLost: isLost, key, rows, before)
    }

    private enum Ended {
        case success(Success)
        case conclusion(Conclusion)
        case unexpected(any Error)

        var word: String {
            switch self {
            case .success(let success): "success \(World.summary(of: success.data))"
            case .conclusion(.retry(let reason, _)): "retry \(reason)"
            case .conclusion(.snooze(_, let reason)): "snooze \(reason)"
            case .conclusion(.leftToOthers(let reason)): "left to others \(reason)"
            case .conclusion(.rejected(let reason, _)): "rejected \(reason)"
            case .unexpected(let error): "unexpected \("\(error)".prefix(120))"
            }
        }
    }

    private func outcome(_ prepared: PreparedJob, _ job: OpenJob, _ context: JobContext) async -> Ended {
        do {
            switch prepared {
            case .acting(_, _, let act): return .success(try await act(job.id, context))
            case .writing(let record, let resolve):
                let success = record(job.id, context)
                do {
                    try await self.write(success.writes)
                    return .success(Success(subject: success.subject, data: success.data))
                } catch let error as PostgresError {
                    return .success(try await resolve(error, job.id, context, self.place.database))
                }
            }
        } catch let conclusion as Conclusion {
            return .conclusion(conclusion)
        } catch {
            return .unexpected(error)
        }
    }

    private struct Conflict: Error {}

    private func write(_ writes: [Write]) async throws {
        guard !writes.isEmpty else { return }
        try await self.place.database.transaction { transaction in
            for write in writes {
                let rows = try await transaction.run(write.sql).affectedRows
                if let required = write.requiredRows, rows != required { throw Conflict() }
            }
        }
    }

    private func settle(
        _ job: OpenJob,
        _ outcome: Ended,
        isLost: Bool,
        _ key: String?,
        _ rows: [DiskName: Row],
        _ before: AWSModel,
    ) async throws {
        var job = job
        job.isUnsettled = isLost
        guard !isLost else { return try await self.wait(job, .seconds(30), key) }
        switch outcome {
        case .unexpected, .conclusion(.leftToOthers): try await self.wait(job, .seconds(30), key)
        case .conclusion(.retry(_, let after)): try await self.wait(job, max(after, .seconds(30)), key)
        case .conclusion(.snooze(let pause, _)):
            job.waited = job.waited ?? .zero
            try await self.wait(job, max(pause, .seconds(30)), key)
        case .conclusion(.rejected(let reason, let writes)):
            if let disk = job.disk { self.refusals[disk, default: []].insert("\(job.kind) \(reason.code)") }
            do { try await self.write(writes) } catch is Conflict {
                return try await self.wait(job, .seconds(30), key)
            }
            try await self.run(Self.note(job, "dead", key))
        case .success(let success):
            do {
                try await self.write(success.writes)
            } catch is Conflict {
                return try await self.wait(job, .seconds(30), key)
            }
            try await self.run(Self.note(job, "succeeded", key))
            try await self.checkSuccess(of: job, success, rows, before)
            try await self.takeUp()
        }
    }

    /// A job that still waits then waits for a person, and would go on for days.
    private static let mostTries = 12

    private func wait(_ job: OpenJob, _ pause: Duration, _ key: String?) async throws {
        if job.tries < Self.mostTries { self.open.append(job) }
        let minutes = Double(pause.components.seconds) / 60
        try await self.advance(minutes: minutes, after: [Self.note(job, "waiting", key)])
    }

    /// Jobs that others have enqueued.
    private func takeUp() async throws {
        let rows = try await self.run(
            "DELETE FROM outbox WHERE destination = 'jobs' RETURNING message_id, routing_key, convert_from(body, 'UTF8') AS text"
        ).rows
        for row in rows {
            let kind = try row.read("routing_key", as: String.self)
            guard kind.hasPrefix("disk.") || kind.hasPrefix("reservation."),
                let id = JobID(try row.read("message_id"))
            else { continue }
            let known = try await self.run("SELECT FROM job_ledger WHERE job_id = \(id)::uuid").rows
            guard known.isEmpty, !self.open.contains(where: { $0.id == id }) else { continue }
            let body = try row.read("text", as: String.self)
            let fields = Self.fields(of: body)
            let name = fields["disk_name"] as? String
            let disk = (fields["user_id"] as? String).flatMap { user in name.map { DiskName(user, $0) } }
            self.open.append(
                OpenJob(
                    id: id,
                    kind: kind,
                    body: body,
                    disk: kind.hasPrefix("disk.") ? disk : nil,
                    reservation: fields["reservation_id"] as? String
                )
            )
        }
    }

    /// What the ledger says of the job.
    private static func note(_ job: OpenJob, _ state: String, _ key: String?) -> SQL {
        """
        INSERT INTO job_ledger (job_id, kind, state, exclusive_key, finished_at)
        VALUES (\(job.id)::uuid, \(job.kind), \(state), \(key), CASE WHEN \(state == "dead") THEN now() END)
        ON CONFLICT (job_id) DO UPDATE SET state = excluded.state, finished_at = excluded.finished_at
        """
    }

    /// What is neither nought nor false, in order.
    private static func summary(of data: any EventData) -> String {
        let fields = Self.fields(of: data.json).mapValues { "\($0)" }
        return fields.filter { !["0", "false", "<null>"].contains($0.value) }.sorted { $0.key < $1.key }
            .map { "\($0.key) \($0.value)" }.joined(separator: ", ")
    }

    static func fields(of text: String) -> [String: Any] {
        (try? JSONSerialization.jsonObject(with: Data(text.utf8))) as? [String: Any] ?? [:]
    }
}
