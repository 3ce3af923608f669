import AWS
import FoundationEssentials
import Jobs
import Logging
import Platform

/// Deletes volumes of a disk whose data is safe, or that never had any.
struct VolumeDeletion: Sendable {
    let ec2: EC2Client
    let disk: Disk
    let context: JobContext

    /// How soon to look again at a volume that is still attached.
    private static let pollInterval: Duration = .seconds(15)

    /// Deletes the volume if it is still the disk's, and nobody uses it; one that is gone is done.
    ///
    /// `reservation` is whose volume it may be; nil if it must be nobody's in particular.
    func delete(_ id: VolumeID, of reservation: ReservationID? = nil, because reason: String) async throws
        -> Void
    {
        guard let volume = try await self.ec2.volume(id, deadline: self.context.deadline) else {
            return
        }
        if let refusal = volume.refusal(as: self.disk) { throw Conclusion.rejected(refusal) }
        if let reservation, let other = volume.reservation, other != reservation.description {
            let message = "volume \(id) has been given to reservation \(other)"
            throw Conclusion.rejected(Reason("foreign-volume", message))
        }
        guard !volume.isAttached else {
            let message = "volume \(id) is attached to an instance; it is deleted when it has come off"
            throw Conclusion.snooze(Self.pollInterval, Reason("volume-in-use", message))
        }
        guard !self.context.isDryRun else {
            throw Conclusion.rejected(
                Reason("dry-run", "volume \(id) would be deleted now, but the worker runs dry")
            )
        }
        self.context.logger.notice(
            "a volume is deleted",
            metadata: [
                "aws.volume": "\(id)", "disk.user": "\(self.disk.user)", "disk.name": "\(self.disk.name)",
                "reservation.id": "\(reservation?.description ?? volume.reservation ?? "")",
                "reason": "\(reason)",
            ]
        )
        try await self.ec2.deleteVolume(id, deadline: self.context.deadline)
        return
    }
}
