import AWS
import Foundation
import Jobs

/// Where listings of disks are stored.
struct ContentsStore: Sendable {
    private let s3: S3Client
    private let bucket: String

    init(s3: S3Client, bucket: String) {
        self.s3 = s3
        self.bucket = bucket
    }

    /// Under which key a job of `disk.capture-contents` stores the listing of a disk.
    static func key(of disk: HeldDisk, by job: JobID) -> String {
        "\(self.encoded(disk.user))/\(self.encoded(disk.name))/\(job)-contents.txt"
    }

    /// The listing that the job has stored; nil if there is none.
    ///
    /// What du printed is the first line, up to a tab.
    func listing(of disk: HeldDisk, by job: JobID, deadline: ContinuousClock.Instant) async throws(AWSError)
        -> ContentsListing.Stored?
    {
        let object = S3Object(bucket: self.bucket, key: Self.key(of: disk, by: job))
        guard let bytes = try await self.s3.object(object, deadline: deadline) else { return nil }
        let usage = String(
            decoding: bytes.prefix { $0 != UInt8(ascii: "\t") && $0 != UInt8(ascii: "\n") },
            as: UTF8.self
        )
        let isUsage = usage.utf8.count <= 32 && usage.wholeMatch(of: /[0-9]+([.,][0-9]+)?[BKMGTPE]?/) != nil
        return ContentsListing.Stored(uri: object.description, usage: isUsage ? usage : nil)
    }

    private static func encoded(_ segment: String) -> String {
        segment.addingPercentEncoding(withAllowedCharacters: Self.unreserved) ?? segment
    }

    /// The characters that stay as they are (RFC 3986, section 2.3).
    private static let unreserved = CharacterSet(
        charactersIn: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
    )
}
