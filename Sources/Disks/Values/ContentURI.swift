import Jobs

/// Where the listing of a disk's files lies; the value of the tag `snapshot_content_s3`.
struct ContentURI: Hashable, Sendable, PayloadValue {
    static let requirement = "s3://bucket/key of at most 256 characters"

    let text: String

    init?(wire: String) {
        guard wire.unicodeScalars.count <= 256, wire.wholeMatch(of: /s3:\/\/[^\/]+\/.+/) != nil else {
            return nil
        }
        self.text = wire
    }
}
