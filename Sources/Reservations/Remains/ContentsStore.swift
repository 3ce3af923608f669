import AWS
import Jobs

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
        S3Object(bucket: bucket, segments: [disk.user, disk.name, "\(job)-contents.txt"])
    }

    /// The listing that the job has stored; nil if there is none.
    ///
    /// What du printed is the first line, up to a tab.
    func listing(of disk: HeldDisk, by job: JobID, deadline: ContinuousClock.Instant) async throws(AWSError)
        -> ContentsListing.Stored?
    {
        let object = Self.object(in: self.bucket, of: disk, by: job)
        guard let bytes = try await self.s3.object(object, deadline: deadline) else { return nil }
        let usage = String(
            decoding: bytes.prefix { $0 != UInt8(ascii: "\t") && $0 != UInt8(ascii: "\n") },
            as: UTF8.self
        )
        let isUsage = usage.utf8.count <= 32 && usage.wholeMatch(of: /[0-9]+([.,][0-9]+)?[BKMGTPE]?/) != nil
        return ContentsListing.Stored(uri: object.description, usage: isUsage ? usage : nil)
    }
}
