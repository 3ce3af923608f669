/// Why a message can never become a job.
package struct Malformed: Error, Sendable, Equatable {
    /// The part that is wrong: `message-id`, `type`, `content-type`, `size`, `encoding` or `json`.
    package let code: String

    /// A sentence for whoever sent it.
    package let message: String

    init(_ code: String, _ message: String) {
        self.code = code
        self.message = message
    }

    /// The body has so many bytes, and that is too many.
    init(sizeOfBody size: Int) {
        self.init("size", "the body has \(size) bytes; at most \(largestJobBody) are read")
    }
}
