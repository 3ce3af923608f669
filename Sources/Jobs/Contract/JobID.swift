package import FoundationEssentials

/// The identity of a job: the `message_id` of its message, a UUID.
package struct JobID: Hashable, Sendable, CustomStringConvertible {
    package let uuid: UUID

    /// Lower case, as PostgreSQL prints it; made once, since log, event and headers all want it.
    package let description: String

    package init(_ uuid: UUID = UUID()) {
        self.uuid = uuid
        self.description = uuid.uuidString.lowercased()
    }

    /// Reads a UUID in its usual form, in either case; nothing else.
    package init?(_ text: String) {
        guard let uuid = UUID(uuidString: text) else { return nil }
        self.uuid = uuid
        self.description = text.lowercased()
    }

    package static func == (one: JobID, other: JobID) -> Bool { one.uuid == other.uuid }

    package func hash(into hasher: inout Hasher) { hasher.combine(self.uuid) }
}
