import HTTP

/// Where an object of S3 is.
package struct S3Object: Sendable, Hashable, CustomStringConvertible {
    package let bucket: String
    /// Any UTF-8; encoded when it is sent.
    package let key: String

    /// An object by its place.
    package init(bucket: String, key: String) {
        self.bucket = bucket
        self.key = key
    }

    /// An object whose key is made of segments, each percent-encoded, so that a slash in one is no border.
    package init(bucket: String, segments: [String]) {
        self.init(bucket: bucket, key: segments.map { $0.percentEncoded() }.joined(separator: "/"))
    }

    /// The object's URI, `s3://bucket/key`.
    package var description: String { "s3://\(self.bucket)/\(self.key)" }
}
