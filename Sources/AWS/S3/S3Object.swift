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

    /// The object's URI, `s3://bucket/key`.
    package var description: String { "s3://\(self.bucket)/\(self.key)" }
}
