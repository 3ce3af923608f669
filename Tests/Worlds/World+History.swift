import Foundation
import Platform
import Postgres
import Synchronization

extension World {
    func happen(_ step: Step) async throws {
        switch step {
        case .session(let disk, let zone, let snapshot, let leaks, let row):
            try await self.session(self.disks[disk], Self.zones[zone], snapshot, leaks, row)
        case .open(let disk, let zone): try await self.take(self.disks[disk], Self.zones[zone])
        case .write(let disk): self.write(self.disks[disk])
        case .end(let disk): try await self.end(self.disks[disk])
        case .detach(let disk): self.detach(self.disks[disk])
        case .vanish(let disk, let leavesError): self.vanish(self.disks[disk], leavesError)
        case .copy(let disk): self.copy(self.disks[disk])
        case .loseTag(let disk, let ofVolume, let user): self.loseTag(self.disks[disk], ofVolume, user)
        case .mark(let disk, let days): try await self.mark(self.disks[disk], days)
        case .forgetRow(let disk):
            let disk = self.disks[disk]
            guard self.holders[disk] == nil else { return }
            try await self.run("DELETE FROM disks WHERE user_id = \(disk.user) AND disk_name = \(disk.name)")
        case .misname(let disk): try await self.misname(self.disks[disk])
        case .oldCopy(let disk, let age, let kept): self.addOldCopy(self.disks[disk], age, kept)
        case .job(let task, let disk, let zone, let crash):
            try await self.begin(task, self.disks[disk], Self.zones[zone], crash)
        case .delete(let disk, let days):
            let day = (Date() + Double(days) * 86_400).day
            try await self.send("disk.delete", of: self.disks[disk], ["delete_date": day])
        case .rename(let disk, let name, let crash):
            try await self.send(
                "disk.rename",
                of: self.disks[disk],
                ["new_name": Self.names[name]],
                crash
            )
        case .steal(let disk, let fromNobody):
            try await self.steal(self.disks[disk], fromNobody)
        case .resume(let position):
            guard position < self.open.count else { return }
            try await self.resume(position)
        case .insist(let minutes):
            for _ in 0..<3 {
                try await self.advance(minutes: Double(minutes))
                for _ in 0..<self.open.count { try await self.resume(0) }
            }
        case .pass(let minutes): try await self.advance(minutes: Double(minutes))
        case .passDays(let days): try await self.advance(days: days)
        }
    }

    /// A reservation's disk as the platform made it: a volume from the newest snapshot that its tags show.
    @discardableResult
    private func take(_ disk: DiskName, _ zone: String) async throws -> Bool {
        let row = try await self.row(disk)
        guard self.holders[disk] == nil, row?.isDeleted != true, row?.isInUse != true else { return false }
        let earlier = self.snapshots(of: disk)
        let volume = self.place.peer.model.withLock { model in
            let source = model.snapshots.values
                .filter {
                    $0.state == "completed" && DiskName($0.tags) == disk && $0.tags["delete-date"] == nil
                }
                .max { ($0.begun, $0.id) < ($1.begun, $1.id) }
            let id = model.newID("vol")
            model.volumes[id] = AWSModel.Volume(
                id: id,
                state: "in-use",
                zone: zone,
                size: 1024,
                snapshot: source?.id,
                created: Date(),
                instance: "i-0123456789abcdef0",
                tags: ["gpu-dev-user": disk.user, "disk_name": disk.name],
                owner: disk,
                version: source?.version ?? 0
            )
            return id
        }
        let reservation = try await self.reserve(disk, "active")
        try await self.run(
            """
            INSERT INTO disks (user_id, disk_name, size_gb, in_use, reservation_id, ebs_volume_id, last_used)
            VALUES (\(disk.user), \(disk.name), 1024, true, \(reservation), \(volume), now())
            ON CONFLICT (user_id, disk_name) DO UPDATE SET in_use = true, reservation_id = \(reservation),
                ebs_volume_id = \(volume), last_used = now()
            """
        )
        try await self.run(
            "UPDATE reservations SET ebs_volume_id = \(volume) WHERE reservation_id = \(reservation)"
        )
        self.holders[disk] = Holder(reservation: reservation, volume: volume, earlier: earlier)
        // Who only mounts it has worked on it.
        self.write(disk)
        return true
    }

    func snapshots(of disk: DiskName) -> Set<String> {
        self.place.peer.model.withLock { model in
            Set(model.snapshots.values.filter { $0.owner == disk }.map(\.id))
        }
    }

    func reserve(_ disk: DiskName, _ status: String) async throws -> String {
        let reservation = self.nextUUID()
        try await self.run(
            """
            INSERT INTO reservations (reservation_id, user_id, status, duration_hours, created_at, launched_at, expires_at)
            VALUES (\(reservation), \(disk.user), \(status), 8, now(), now(), now() + interval '8 hours')
            """
        )
        return reservation
    }

    private func session(
        _ disk: DiskName,
        _ zone: String,
        _ snapshot: Step.SnapshotEnd,
        _ leaks: Bool,
        _ habit: Step.RowHabit
    ) async throws {
        guard try await self.take(disk, zone), let holder = self.holders[disk] else { return }
        try await self.advance(minutes: 30)
        self.write(disk)
        self.holders[disk] = nil
        let (count, newest) = self.place.peer.model.withLock { model -> (Int, Date?) in
            model.volumes[holder.volume]?.instance = nil
            model.volumes[holder.volume]?.state = "available"
            if snapshot != .none, let volume = model.volumes[holder.volume] {
                let id = model.newID("snap")
                model.snapshots[id] = AWSModel.Snapshot(
                    id: id,
                    volume: volume.id,
                    size: volume.size,
                    begun: Date(),
                    end: Date() + (snapshot == .pending ? 7_200 : 0),
                    endState: snapshot == .error ? "error" : "completed",
                    description: "gpu-dev shutdown snapshot",
                    tags: volume.tags.merging(["SnapshotType": "shutdown"]) { $1 },
                    owner: disk,
                    version: volume.version
                )
                model.settle()
            }
            // The original deletes the volume only after it has seen a good snapshot.
            if !leaks, snapshot == .completed { model.volumes[holder.volume] = nil }
            let own = model.snapshots.values.filter {
                DiskName($0.tags) == disk && ["completed", "pending"].contains($0.state)
            }
            return (own.count, own.filter { $0.state == "completed" }.map(\.begun).max())
        }
        try await self.finish(holder.reservation)
        let (tellsCount, tellsTime) = (habit != .nothing, habit == .all)
        try await self.run(
            """
            UPDATE disks SET in_use = false, reservation_id = NULL,
                snapshot_count = CASE WHEN \(tellsCount) THEN \(count) ELSE snapshot_count END,
                last_snapshot_at = CASE WHEN \(tellsTime) THEN \(newest)::timestamptz ELSE last_snapshot_at END,
                ebs_volume_id = CASE WHEN \(tellsTime) THEN NULL ELSE ebs_volume_id END
            WHERE user_id = \(disk.user) AND disk_name = \(disk.name)
            """
        )
        try await self.advance(minutes: 30)
    }

    private func finish(_ reservation: String) async throws {
        try await self.run(
            "UPDATE reservations SET status = 'expired' WHERE reservation_id = \(reservation) AND status IN ('active', 'preparing')"
        )
    }

    private func write(_ disk: DiskName) {
        guard let holder = self.holders[disk] else { return }
        self.place.peer.model.withLock { model in
            guard let volume = model.volumes[holder.volume], volume.instance != nil else { return }
            let version = self.written[disk, default: 0] + 1
            self.written[disk] = version
            self.holders[disk]?.version = version
            model.volumes[holder.volume]?.version = version
        }
    }

    func end(_ disk: DiskName) async throws {
        guard let holder = self.holders[disk] else { return }
        try await self.finish(holder.reservation)
    }

    func detach(_ disk: DiskName) {
        guard let holder = self.holders[disk] else { return }
        self.place.peer.model.withLock { model in
            guard model.volumes[holder.volume]?.instance != nil else { return }
            model.volumes[holder.volume]?.instance = nil
            model.volumes[holder.volume]?.state = "available"
        }
    }

    private func vanish(_ disk: DiskName, _ leavesError: Bool) {
        guard let holder = self.holders[disk] else { return }
        self.place.peer.model.withLock { model in
            guard leavesError else { return model.volumes[holder.volume] = nil }
            model.volumes[holder.volume]?.instance = nil
            model.volumes[holder.volume]?.state = "error"
        }
    }

    private func copy(_ disk: DiskName) {
        self.place.peer.model.withLock { model in
            let own = model.snapshots.values.filter { $0.owner == disk && $0.state == "completed" }
            guard let source = own.max(by: { ($0.version, $0.id) < ($1.version, $1.id) }) else { return }
            let id = model.newID("snap")
            model.snapshots[id] = AWSModel.Snapshot(
                id: id,
                volume: "vol-ffffffff",
                state: "completed",
                size: source.size,
                begun: Date(),
                end: Date(),
                endState: "completed",
                description: "[Copied \(source.id) from eu-west-1]",
                tags: source.tags,
                owner: disk,
                version: source.version
            )
        }
    }

    private func loseTag(_ disk: DiskName, _ ofVolume: Bool, _ user: Bool) {
        let key = user ? "gpu-dev-user" : "disk_name"
        self.place.peer.model.withLock { model in
            if ofVolume {
                let own = model.volumes.values.filter { $0.owner == disk }
                guard let newest = own.max(by: { ($0.created, $0.id) < ($1.created, $1.id) }) else { return }
                model.volumes[newest.id]?.tags[key] = nil
            } else {
                let own = model.snapshots.values.filter { $0.owner == disk }
                guard let newest = own.max(by: { ($0.begun, $0.id) < ($1.begun, $1.id) }) else { return }
                model.snapshots[newest.id]?.tags[key] = nil
            }
        }
    }

    private func misname(_ disk: DiskName) async throws {
        let volume = self.place.peer.model.withLock { model in
            model.volumes.values.filter { $0.owner.map { $0.user != disk.user } ?? false }.map(\.id).max()
        }
        guard self.holders[disk] == nil, let volume else { return }
        try await self.run(
            """
            UPDATE disks SET ebs_volume_id = \(volume)
            WHERE user_id = \(disk.user) AND disk_name = \(disk.name) AND in_use IS NOT TRUE
            """
        )
    }

    private func addOldCopy(_ disk: DiskName, _ age: Int, _ kept: Int) {
        self.place.peer.model.withLock { model in
            let (volume, snapshot) = (model.newID("vol"), model.newID("snap"))
            let made = Date() - Double(age) * 86_400
            model.snapshots[snapshot] = AWSModel.Snapshot(
                id: snapshot,
                volume: volume,
                state: "completed",
                size: 1024,
                begun: made,
                end: made,
                endState: "completed",
                description: "gpu-dev safety snapshot",
                tags: [
                    "gpu-dev-user": disk.user, "disk-name": disk.name, "gpu-dev-quarantine-backup": "true",
                    "original-volume-id": volume, "quarantine-deletion-date": made.formatted(.iso8601),
                    "retention-days": "\(kept)",
                ],
                owner: disk,
                version: 0
            )
        }
    }

    private func steal(_ disk: DiskName, _ fromNobody: Bool) async throws {
        let volume = self.place.peer.model.withLock { model in
            model.volumes.values.filter { fromNobody ? $0.owner == nil : $0.owner != disk }.map(\.id).max()
        }
        guard let volume else { return }
        let holder = self.holders[disk].map { ["reservation_id": $0.reservation] } ?? [:]
        try await self.send(
            "disk.create-snapshot",
            of: disk,
            ["volume_id": volume].merging(holder) { $1 }
        )
    }

    private func mark(_ disk: DiskName, _ days: Int) async throws {
        // Where the row is deleted or gone the mark means what it says.
        guard try await self.row(disk)?.isDeleted == false else { return }
        self.place.peer.model.withLock { model in
            let own = model.snapshots.values.filter { $0.owner == disk && $0.state != "error" }
            guard let newest = own.max(by: { ($0.begun, $0.id) < ($1.begun, $1.id) }) else { return }
            model.snapshots[newest.id]?.tags["delete-date"] = (Date() + Double(days) * 86_400).day
        }
    }
}
