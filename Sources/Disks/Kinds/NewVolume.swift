import AWS
import FoundationEssentials
import Jobs
import Platform

/// A volume that a reservation needs for its disk, made once whatever happens on the way.
struct NewVolume: Sendable {
    private let settings: VolumeSettings
    private let disk: Disk
    private let user: UserID
    private let reservation: ReservationID
    private let job: JobID
    private let deadline: ContinuousClock.Instant
    /// What time it is for PostgreSQL.
    private let now: Date

    /// AWS remembers client tokens for hours, those of volumes that are gone too.
    private static let mostGenerations = 8

    /// How long a new volume may stay unknown, in seconds.
    private static let timeToShowUp = 120.0

    init(_ settings: VolumeSettings, for disk: Disk, _ job: Job<RestoreDisk.Payload>, at now: Date) {
        self.settings = settings
        self.disk = disk
        self.user = job.payload.user
        self.reservation = job.payload.reservation
        self.job = job.id
        self.deadline = job.context.deadline
        self.now = now
    }

    /// The volume, new or of an earlier attempt; a token that leads to one in error or gone is burned, and the next is taken.
    func made(by ec2: EC2Client, after earlier: DiskVolumes) async throws(AWSError) -> Volume {
        var generation = 0
        while true {
            let volume = try await ec2.createVolume(
                self.settings,
                operation: self.job.description,
                identity: "\(self.reservation)/\(self.disk.name)",
                generation: generation,
                tags: self.tags,
                unless: [
                    .tag(DiskTag.user, self.disk.user), .tag(DiskTag.disk, self.disk.name),
                    .tag(DiskTag.reservation, self.reservation.description),
                ],
                deadline: self.deadline
            )
            generation += 1
            guard self.isBurned(volume, earlier), generation < Self.mostGenerations else { return volume }
        }
    }

    /// One that was made just now may not be found yet.
    private func isBurned(_ volume: Volume, _ earlier: DiskVolumes) -> Bool {
        let isGone =
            volume.id == earlier.missing && self.now.timeIntervalSince(volume.createTime) > Self.timeToShowUp
        return isGone || earlier.broken.contains { $0.id == volume.id }
    }

    /// The same at each attempt, so that the client token stays good.
    private var tags: Tags {
        let now = String(Int((self.disk.lastUsed ?? self.now).timeIntervalSince1970))
        return [
            DiskTag.user: self.disk.user,
            DiskTag.disk: self.disk.name,
            DiskTag.name: "gpu-dev-disk-\(self.user.localPart)-\(self.disk.name)",
            DiskTag.project: "gpu-dev-servers",
            DiskTag.managedBy: "gpu-dev-cli",
            DiskTag.createdAt: now,
            DiskTag.lastUsed: now,
            DiskTag.reservation: self.reservation.description,
        ]
    }
}
