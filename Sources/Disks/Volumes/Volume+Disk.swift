import AWS
import Jobs
import Platform

extension Volume {
    /// The disk that the volume belongs to by its tags.
    var diskName: String? { self.tags[DiskTag.disk] ?? self.tags[DiskTag.olderDisk] }

    /// The reservation that it was made for, where its tags name it.
    var reservation: String? { self.tags[DiskTag.reservation] ?? self.tags[DiskTag.olderReservation] }

    /// Whether it is a volume to reckon with: neither on its way in or out nor broken.
    var isSettled: Bool { self.state == .available || self.state == .inUse }

    /// Whether it was set aside because another volume is the current one of its disk.
    var isQuarantined: Bool { !self.tags[DiskTag.quarantined, default: ""].isEmpty }

    /// The disk that the tags name, if they name one that can exist.
    var taggedDisk: DiskKey? {
        guard let user = self.tags[DiskTag.user], UserID(wire: user) != nil,
            let name = self.diskName, DiskName(wire: name) != nil
        else { return nil }
        return DiskKey(user: user, name: name)
    }
}
