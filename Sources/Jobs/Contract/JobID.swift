package import FoundationEssentials

/// The identity of a job: the `message_id` of its message, a UUID.
package struct JobID: Hashable, Sendable, CustomStringConvertible {
    package let uuid: UUID

    package init(_ uuid: UUID = UUID()) { self.uuid = uuid }

    /// Reads a UUID in its usual form, in either case; nothing else.
    package init?(_ text: String) {
        guard let uuid = UUID(uuidString: text) else { return nil }
        self.uuid = uuid
    }

    /// Lower case, as PostgreSQL prints it.
    package var description: String { self.uuid.uuidString.lowercased() }
}
