import HTTP

/// The part of S3 that contents listings need: put and get of small objects.
package struct S3Client: Sendable {
    let client: AWSClient

    /// A client that shares connections, credentials and limits with others of `client`.
    package init(_ client: AWSClient) {
        self.client = client
    }

    /// Writes an object, over an earlier one of this key.
    ///
    /// - Parameters:
    ///   - object: Where it goes.
    ///   - body: Its bytes.
    ///   - contentType: A MIME type.
    ///   - metadata: Kept with the object; names are ASCII, and values that are not are percent-encoded.
    ///   - deadline: When to give up.
    /// - Throws: AWS's refusal, or that no answer came; the same call may then be made again.
    package func putObject(
        _ object: S3Object,
        body: [UInt8],
        contentType: String,
        metadata: [String: String] = [:],
        deadline: ContinuousClock.Instant = .inThirtySeconds
    ) async throws(AWSError) {
        var headers = [("Content-Type", contentType)]
        for (name, value) in metadata.sorted(by: { $0.key < $1.key }) {
            let isPlain = value.utf8.allSatisfy { 0x20...0x7E ~= $0 }
            headers.append(("x-amz-meta-\(name)", isPlain ? value : value.percentEncoded()))
        }
        let request = AWSRequest(
            AWSOperation(.s3, "PutObject", .idempotentWrite),
            method: .put,
            path: object.path,
            headers: headers,
            body: body
        )
        try await self.client.send(request, deadline: deadline)
    }

    /// The bytes of an object, or nil if there is none (`NoSuchKey`).
    package func object(
        _ object: S3Object,
        deadline: ContinuousClock.Instant = .inThirtySeconds
    ) async throws(AWSError) -> [UInt8]? {
        let request = AWSRequest(AWSOperation(.s3, "GetObject", .read), method: .get, path: object.path)
        return try await self.client.unlessAbsent(["NoSuchKey"]) { () throws(AWSError) in
            try await self.client.send(request, deadline: deadline).body
        }
    }
}

extension S3Object {
    fileprivate var path: [String] {
        [self.bucket] + self.key.split(separator: "/", omittingEmptySubsequences: false).map { String($0) }
    }
}
