package import Jobs

/// Where the listing of a disk's files lies; the value of the tag `snapshot_content_s3`.
package struct ContentURI: Hashable, Sendable, PayloadValue {
    package static let requirement = "s3://bucket/key of at most 256 characters"
    package static let schema = ValueSchema.text(atMost: 256, pattern: "^s3://[^/]+/.+$")

    package let text: String

    package init?(wire: String) {
        let parts = wire.dropFirst("s3://".count).split(
            separator: "/",
            maxSplits: 1,
            omittingEmptySubsequences: false
        )
        guard wire.unicodeScalars.count <= 256, wire.hasPrefix("s3://"), parts.count == 2,
            !parts[0].isEmpty, !parts[1].isEmpty, !wire.contains(where: \.isNewline)
        else { return nil }
        self.text = wire
    }
}

/// Where in the bucket the listing of a disk's files lies.
package enum ListingKey {
    /// The segments of the key; `origin` is the snapshot that the listing belongs to, or else the job that made it.
    package static func segments(user: String, disk: String, origin: String) -> [String] {
        [user, disk, "\(origin)-contents.txt"]
    }
}
