import AWS
import Jobs
import Platform

extension Reason {
    static func unknownDisk(_ user: UserID, _ disk: DiskName) -> Reason {
        Reason("unknown-disk", "\(user) has no disk \(disk); create it first")
    }

    static func deleted(_ disk: Disk) -> Reason {
        Reason("disk-deleted", "the disk \(disk.name) of \(disk.user) is deleted; undelete it first")
    }

    static func inUse(_ disk: Disk) -> Reason {
        let holder = disk.holder.map { "reservation \($0)" } ?? "a reservation that nobody knows"
        return Reason("disk-in-use", "the disk \(disk.name) of \(disk.user) is in use by \(holder)")
    }
}

extension Disk {
    /// Why the disk is not at rest: it is in use, or a snapshot of it is under way; nil if it is.
    func reasonForUnrest(_ volumes: DiskVolumes, _ snapshots: DiskSnapshots) -> Reason? {
        if self.isInUse { return .inUse(self) }
        if let volume = volumes.live.first(where: \.isAttached) {
            return Reason("disk-in-use", "volume \(volume.id) of the disk is attached to an instance")
        }
        guard self.isBackingUp || !snapshots.pending.isEmpty else { return nil }
        return Reason("disk-backing-up", "a snapshot of the disk is not complete yet; try again when it is")
    }
}
