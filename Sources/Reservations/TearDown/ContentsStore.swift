import AWS
import Jobs
import Platform

/// Where listings of disks are stored.
struct ContentsStore: Sendable {
    private let s3: S3Client
    private let bucket: String

    init(s3: S3Client, bucket: String) {
        self.s3 = s3
        self.bucket = bucket
    }

    /// Where a job of `disk.capture-contents` stores the listing of a disk.
    static func object(in bucket: String, of disk: HeldDisk, by job: JobID) -> S3Object {
        let key = ListingKey.segments(user: disk.user, disk: disk.name, origin: job.description)
        return S3Object(bucket: bucket, segments: key)
    }

    /// The listing that the job has stored; nil if there is none.
    func listing(of disk: HeldDisk, by job: JobID, deadline: ContinuousClock.Instant) async throws(AWSError)
        -> ContentsListing.Stored?
    {
        let object = Self.object(in: self.bucket, of: disk, by: job)
        guard let bytes = try await self.s3.object(object, deadline: deadline) else { return nil }
        return ContentsListing.Stored(uri: object.description, usage: DiskUsage(atTheHeadOf: bytes)?.text)
    }
}
