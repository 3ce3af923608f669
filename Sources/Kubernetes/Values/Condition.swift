package import FoundationEssentials

/// One thing that is said of a pod or a node, such as `Ready` or `PodScheduled`.
package struct Condition: Sendable, Hashable {
    package enum Status: String, Sendable, Decodable {
        case yes = "True"
        case no = "False"
        case unknown = "Unknown"
    }

    package let type: String
    package let status: Status
    /// A word, such as `Unschedulable`.
    package let reason: String?
    package let message: String?
    package let transitionTime: Date?

    /// A condition from its parts.
    package init(
        _ type: String,
        _ status: Status,
        reason: String? = nil,
        message: String? = nil,
        transitionTime: Date? = nil
    ) {
        self.type = type
        self.status = status
        self.reason = reason
        self.message = message
        self.transitionTime = transitionTime
    }
}

extension Condition: Decodable {
    private struct Document: Decodable {
        let type: String
        let status: Status
        let reason: String?
        let message: String?
        let lastTransitionTime: Timestamp?
    }

    package init(from decoder: any Decoder) throws {
        let document = try Document(from: decoder)
        self.init(
            document.type,
            document.status,
            reason: document.reason,
            message: document.message,
            transitionTime: document.lastTransitionTime?.date
        )
    }
}
