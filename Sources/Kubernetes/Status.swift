/// What an API server says of a request that it did not fulfil, and of how a command ended.
///
/// Source: Kubernetes API reference, `Status` (meta/v1).
struct Status: Decodable, Sendable {
    struct Details: Decodable, Sendable {
        let retryAfterSeconds: Int?
        let causes: [Cause]?
    }

    struct Cause: Decodable, Sendable {
        let reason: String?
        let message: String?
    }

    /// Absent in the status of a command, which is written without its type.
    let kind: String?
    /// `Success` or `Failure`.
    let status: String?
    /// A word from a closed set, such as `NotFound`.
    let reason: String?
    let message: String?
    let code: Int?
    let details: Details?
}
