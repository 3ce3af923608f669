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
