import AWS
import FoundationEssentials
import Jobs
import Platform
import Postgres

/// The volumes that belong to one disk: those that its row and their tags name, without quarantined ones.
struct DiskVolumes: Sendable {
    /// Those that hold data, or are about to.
    let live: [Volume]

    /// Those that never came to life.
    let broken: [Volume]

    /// The volume that the row names and EC2 does not know any more.
    let missing: VolumeID?

    private let recorded: VolumeID?

    /// Volumes that rows of other disks, or of other users' reservations, name.
    private let named: Set<VolumeID>

    /// Those that exist, whosever they are.
    private let known: Set<VolumeID>

    /// - Parameters:
    ///   - volumes: What EC2 has that may be the disk's.
    ///   - disk: The row.
    ///   - others: Volumes that rows of the user's other disks name, whatever their tags say.
    ///   - strangers: Volumes that rows of other users' disks or reservations name.
    init(
        _ volumes: [Volume],
        of disk: Disk,
        exceptThoseOf others: Set<VolumeID> = [],
        _ strangers: Set<VolumeID> = [],
    ) {
        let own = volumes.filter { volume in
            let isNamed = volume.diskName == disk.name && !others.contains(volume.id)
            return (isNamed || volume.id == disk.volume) && !volume.isQuarantined
        }
        self.live = own.filter { $0.isSettled || $0.state == .creating }
        self.broken = own.filter { $0.state == .error }
        self.recorded = disk.volume
        self.named = others.union(strangers)
        self.known = Set(volumes.filter { $0.state != .deleting && $0.state != .deleted }.map(\.id))
        self.missing = disk.volume.flatMap { [known] in known.contains($0) ? nil : $0 }
    }

    init(
        of disk: Disk,
        in ec2: EC2Client,
        _ database: PostgresPool,
        deadline: ContinuousClock.Instant
    ) async throws {
        var volumes = try await ec2.describeVolumes(
            matching: [.tag(DiskTag.user, disk.user)],
            deadline: deadline
        )
        for named in Set([disk.volume, disk.handedOutVolume].compactMap { $0 })
        where !volumes.contains(where: { $0.id == named }) {
            if let volume = try await ec2.volume(named, deadline: deadline) { volumes.append(volume) }
        }
        // Who had a volume counts where no tag says whose it is. Reservations have no index for it, and are not read else.
        let ownerless = volumes.first { $0.id == disk.volume && $0.tags[DiskTag.user] == nil }?.id
        let others = try await database.run(
            """
            SELECT ebs_volume_id, user_id = \(disk.user) AS is_own FROM disks
            WHERE disk_id <> \(disk.id) AND ebs_volume_id IS NOT NULL
                AND (user_id = \(disk.user) OR ebs_volume_id = \(disk.volume?.rawValue))
            UNION
            SELECT r.ebs_volume_id, false FROM reservations r
            WHERE r.ebs_volume_id = \(ownerless?.rawValue) AND NOT \(Disk.isReservation(of: disk.user))
            """
        )
        var (own, strangers): (Set<VolumeID>, Set<VolumeID>) = ([], [])
        for row in others.rows {
            let volume = VolumeID(rawValue: try row.read("ebs_volume_id"))
            if try row.read("is_own") { own.insert(volume) } else { strangers.insert(volume) }
        }
        self.init(volumes, of: disk, exceptThoseOf: own, strangers)
    }

    enum Current: Sendable {
        case none
        case one(Volume)

        /// Several could be it, and which holds the newest data is for the reconciliation or a person to decide.
        case unclear
    }

    /// Whether nothing but the row says that a volume is the disk's, and other rows say that it is another's.
    ///
    /// The reservation that was given a volume, or whose tag it carries, has it by right.
    func isDisputed(_ volume: Volume, of reservation: ReservationID?, _ row: Disk) -> Bool {
        volume.tags[DiskTag.user] == nil && self.named.contains(volume.id) && volume.id != row.handedOutVolume
            && (reservation == nil || volume.reservation != reservation?.description)
    }

    /// Whether EC2 has the volume.
    func knows(_ volume: VolumeID) -> Bool { self.known.contains(volume) }

    /// The one that may hold the newest data: what the row names, what was made for the reservation, or the only one.
    ///
    /// What the row names does not count before others while nobody works on it: another may be younger.
    func current(of reservation: ReservationID?, _ row: Disk) -> Current {
        let isOf = { (volume: Volume) in
            reservation != nil
                && (volume.reservation == reservation?.description || volume.id == row.handedOutVolume)
        }
        if let volume = self.live.first(where: { $0.id == self.recorded }),
            volume.isAttached || isOf(volume) || self.live.count == 1
        {
            return .one(volume)
        }
        let made = self.live.filter(isOf)
        if made.count == 1 { return .one(made[0]) }
        switch self.live.count {
        case 0: return .none
        case 1: return .one(self.live[0])
        default: return .unclear
        }
    }
}

extension Volume {
    /// Why it is none of the disk's, whatever a row says; nil if it may well be.
    func refusal(as disk: Disk) -> Reason? {
        guard let owner = self.tags[DiskTag.user] else {
            guard self.id != disk.volume else { return nil }
            return Reason("foreign-volume", "volume \(self.id) has no tag of an owner, and no row names it")
        }
        guard owner != disk.user else { return nil }
        return Reason(
            "foreign-volume",
            "volume \(self.id) belongs to \(owner) by its tags, and not to \(disk.user)"
        )
    }
}
