package import FoundationEssentials

/// Something that happened to an object, as reported by a component of the cluster.
package struct Event: Sendable, Hashable {
    package let reason: String
    package let message: String
    /// `Normal` or `Warning`.
    package let type: String
    /// When it was last seen to happen.
    package let time: Date?
    /// The kind, name and uid of the object that it is about.
    package let objectKind: String
    package let objectName: String
    package let objectUID: String

    /// An event from its parts.
    package init(
        reason: String,
        message: String,
        type: String = "Warning",
        time: Date?,
        objectKind: String = "Pod",
        objectName: String,
        objectUID: String
    ) {
        self.reason = reason
        self.message = message
        self.type = type
        self.time = time
        self.objectKind = objectKind
        self.objectName = objectName
        self.objectUID = objectUID
    }
}

extension Event: Decodable {
    private struct Document: Decodable {
        struct Reference: Decodable {
            let kind: String?
            let name: String?
            let uid: String?
        }

        struct Series: Decodable {
            let lastObservedTime: Timestamp?
        }

        let reason: String?
        let message: String?
        let type: String?
        let lastTimestamp: Timestamp?
        let eventTime: Timestamp?
        let series: Series?
        let involvedObject: Reference
    }

    /// Older components write `lastTimestamp`, newer ones `eventTime` and `series`.
    package init(from decoder: any Decoder) throws {
        let document = try Document(from: decoder)
        let times = [document.lastTimestamp, document.eventTime, document.series?.lastObservedTime]
        self.init(
            reason: document.reason ?? "",
            message: document.message ?? "",
            type: document.type ?? "",
            time: times.compactMap { $0?.date }.max(),
            objectKind: document.involvedObject.kind ?? "",
            objectName: document.involvedObject.name ?? "",
            objectUID: document.involvedObject.uid ?? ""
        )
    }
}
