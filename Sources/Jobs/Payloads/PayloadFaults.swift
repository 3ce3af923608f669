/// What is wrong with a payload: every offending field, by its path.
package struct PayloadFaults: Error, Equatable, CustomStringConvertible {
    package struct Fault: Error, Equatable {
        package let path: String
        package let complaint: String
    }

    package let faults: [Fault]

    package init(_ faults: [Fault]) { self.faults = faults }

    /// The fault of one field; the complaint is the end of a sentence, such as "is required".
    package init(_ path: String, _ complaint: String) {
        self.init([Fault(path: path, complaint: complaint)])
    }

    /// `size_gb: must be a whole number from 1 to 16384; disk_name: is required`.
    package var description: String {
        self.faults.map { "\($0.path): \($0.complaint)" }.joined(separator: "; ")
    }
}

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
