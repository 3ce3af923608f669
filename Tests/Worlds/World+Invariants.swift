import Foundation
import Fuzzing
import Jobs
import Logging
import Platform
import Postgres
import Synchronization

extension World {
    var logger: Logger { Logger(label: "worlds") { _ in self.place.complaints } }

    /// Nothing of another is touched, and nothing is deleted that is not safe elsewhere.
    func checkDeeds(
        _ deeds: [AWSModel.Deed],
        of job: OpenJob,
        _ rows: [DiskName: Row],
        _ after: [DiskName: Row],
    ) throws {
        for deed in deeds {
            try hold(
                deed.owner != nil,
                "foreign: \(job.kind) did \(deed.action) to \(deed.resource), which is nobody's"
            )
            if let disk = job.disk, let owner = deed.owner {
                try hold(
                    disk == owner,
                    "foreign: \(job.kind) of \(disk) did \(deed.action) to \(deed.resource) of \(owner)"
                )
            }
            if let disk = job.disk, job.kind == "disk.release", let row = rows[disk] {
                let isLive = row.holder == job.reservation && !row.hasHolderEnded
                let takesAway = ["DetachVolume", "DeleteVolume"].contains(deed.action)
                try hold(
                    !isLive || !takesAway,
                    "torn: \(job.kind) did \(deed.action) to \(deed.resource), and its reservation is not over"
                )
            }
            if deed.action == "DeleteSnapshot", let end = deed.endOfCopy {
                try hold(
                    end < Date(),
                    "unsafe: \(job.kind) deleted \(deed.resource), a copy to be kept until \(end)"
                )
            }
            guard deed.version > 0, let owner = deed.owner else { continue }
            // Marks of a deletion count only where the row is deleted, and then all of it goes together.
            let isKept = deed.others.contains { other in
                other.state == "completed" && other.version >= deed.version
            }
            switch deed.action {
            case "DeleteVolume":
                try hold(isKept, "unsafe: \(job.kind) deleted \(deed.resource) with version \(deed.version)")
            case "DeleteSnapshot":
                let mark = deed.tags["delete-date"]
                let isPurged =
                    if let row = rows[owner] { row.isDue } else {
                        mark.map { $0 < (Date() - 7 * 86_400).day } ?? false
                    }
                let isOldCopy =
                    deed.tags["quarantine-deletion-date"].flatMap { try? Date($0, strategy: .iso8601) }
                    .map { $0 < Date() - 90 * 86_400 } ?? false
                try hold(
                    isKept || isPurged && after[owner]?.isDeleted ?? true || isOldCopy,
                    "unsafe: \(job.kind) deleted \(deed.resource) with version \(deed.version)"
                )
            default: break
            }
        }
    }

    /// What a job that succeeded says is so.
    func checkSuccess(of job: OpenJob, _ success: Success, _ rows: [DiskName: Row], _ before: AWSModel)
        async throws
    {
        guard let disk = job.disk else { return }
        let data = Self.fields(of: success.data.json)
        switch job.kind {
        case "disk.restore":
            guard let volume = data["volume_id"] as? String, let reservation = job.reservation else { return }
            let basis = job.basis ?? Basis(rows: rows, model: before)
            try self.checkRestored(volume, disk, basis.rows[disk], basis.model)
            self.attach(volume, disk, reservation)
        case "disk.release":
            guard data["released"] as? Bool == true else { return }
            defer { self.holders[disk] = nil }
            guard let holder = self.holders[disk], holder.reservation == job.reservation,
                let version = holder.version
            else { return }
            // Of a volume that has vanished a snapshot of the same session is all that there can be.
            let isSafe = self.place.peer.model.withLock { model in
                let isThere = before.volumes[holder.volume].map { $0.state != "error" } ?? false
                return model.snapshots.values.contains {
                    $0.owner == disk && $0.state == "completed"
                        && ($0.version >= version || !isThere && !holder.earlier.contains($0.id))
                }
            }
            try hold(isSafe, "lost: \(disk) is released, and version \(version) is in no snapshot")
        case "disk.rename":
            guard let name = data["new_name"] as? String, name != disk.name else { return }
            try self.checkRenamed(disk)
            self.rename(disk, to: DiskName(disk.user, name))
        default: break
        }
    }

    /// Nothing of a disk that has another name is still under the old one.
    private func checkRenamed(_ disk: DiskName) throws {
        let model = self.place.peer.model.withLock { $0 }
        let volumes = model.volumes.values.filter { $0.owner == disk && DiskName($0.tags) == disk }
        let snapshots = model.snapshots.values.filter { $0.owner == disk && DiskName($0.tags) == disk }
        let left = (volumes.map(\.id) + snapshots.map(\.id)).sorted()
        try hold(left.isEmpty, "left: \(left) of \(disk) are under the old name")
    }

    private func attach(_ volume: String, _ disk: DiskName, _ reservation: String) {
        self.place.peer.model.withLock { model in
            model.volumes[volume]?.instance = "i-0123456789abcdef0"
            model.volumes[volume]?.state = "in-use"
        }
        guard self.holders[disk]?.reservation != reservation else {
            self.holders[disk]?.volume = volume
            return
        }
        let earlier = self.snapshots(of: disk)
        self.holders[disk] = Holder(reservation: reservation, volume: volume, earlier: earlier)
    }

    /// What was handed out is the newest that can be known of.
    private func checkRestored(_ id: String, _ disk: DiskName, _ row: Row?, _ before: AWSModel) throws {
        let model = self.place.peer.model.withLock { $0 }
        guard let volume = model.volumes[id] else {
            throw Violation("stale: \(disk) got \(id), which is not there")
        }
        try hold(
            volume.owner == disk,
            "foreign: \(disk) got \(id) of \(volume.owner?.description ?? "nobody")"
        )
        let volumes = before.volumes.values.filter {
            $0.owner == disk && $0.state != "error" && (DiskName($0.tags) == disk || row?.volume == $0.id)
        }
        // What a rename has moved ahead of the row is known of too.
        let snapshots = before.snapshots.values.filter {
            let name = DiskName($0.tags)
            let isNamed = name == disk || name != nil && $0.tags["gpu-dev-renamed-by"] != nil
            return $0.owner == disk && isNamed && ["completed", "pending"].contains($0.state)
        }
        let newest = max(volumes.map(\.version).max() ?? 0, snapshots.map(\.version).max() ?? 0)
        try hold(
            volume.version >= newest,
            "stale: \(disk) got version \(volume.version) in \(id), and version \(newest) is there"
        )
        guard before.volumes[id] == nil else { return }
        let source = volume.snapshot.flatMap { before.snapshots[$0] }
        if source == nil {
            try hold(
                row.map { $0.snapshotCount == 0 && $0.lastSnapshot == nil } ?? true,
                "stale: \(disk) got an empty volume, and its row counts \(row?.snapshotCount ?? 0) snapshots"
            )
        } else if let last = row?.lastSnapshot, let source {
            try hold(
                source.begun >= last - 1,
                "stale: \(disk) got a snapshot older than the last that its row knows"
            )
        }
    }

    /// Lets all reservations end and a long time pass, with the jobs that schedules would begin.
    func settle() async throws {
        self.note("settling")
        for disk in self.disks { self.detach(disk) }
        try await self.run(
            "UPDATE reservations SET status = 'expired' WHERE status IN ('active', 'preparing')"
        )
        // Twice as long as a volume stays in quarantine: once for the copy, once for the end.
        for round in 0..<3 {
            self.note("round \(round)")
            for task in [Step.Task.sweep, .reconcileAll, .prune] {
                try await self.begin(task, self.disks[0], Self.zones[0], .none)
                try await self.drain()
            }
            for disk in self.disks { self.detach(disk) }
            try await self.advance(days: 31)
        }
        try await self.checkFound()
        for disk in self.disks {
            guard let row = try await self.row(disk), !row.isDeleted, !row.isInUse else { continue }
            self.holders[disk] = nil
            try await self.begin(.restore, disk, Self.zones[0], .none)
            try await self.drain()
        }
    }

    /// Tries what waits a few times.
    private func drain() async throws {
        for _ in 0..<2 where !self.open.isEmpty {
            for _ in 0..<self.open.count { try await self.resume(0) }
        }
    }

    /// What was left behind is in the end linked, in quarantine, gone, or complained of; and no disk stays with a
    /// reservation that is over.
    private func checkFound() async throws {
        let model = self.place.peer.model.withLock { $0 }
        let complaints = self.place.complaints.text
        for disk in self.disks {
            guard let row = try await self.row(disk), !row.isDeleted else { continue }
            let isToldOf =
                row.error != nil || self.place.complaints.concern(disk) || self.refusals[disk] != nil
            if row.hasHolderEnded, row.isInUse || row.volume.map({ model.volumes[$0] != nil }) ?? false {
                try hold(isToldOf, "left: \(disk) is never released by \(row.holder ?? "")")
            }
            for volume in model.volumes.values where DiskName(volume.tags) == disk {
                guard volume.state != "error", volume.tags["gpu-dev-quarantined"] == nil,
                    row.volume != volume.id
                else { continue }
                try hold(
                    isToldOf || complaints.contains(volume.id),
                    "left: \(volume.id) of \(disk) is neither linked nor in quarantine"
                )
            }
        }
    }
}

extension AWSModel.Deed {
    /// Until when a safety copy must be there; nil for what is none.
    fileprivate var endOfCopy: Date? {
        guard self.tags["gpu-dev-quarantine-backup"] != nil,
            let begun = self.tags["quarantine-deletion-date"].flatMap({ try? Date($0, strategy: .iso8601) })
        else { return nil }
        return begun + Double(max(90, Int(self.tags["retention-days"] ?? "") ?? 90)) * 86_400
    }
}
