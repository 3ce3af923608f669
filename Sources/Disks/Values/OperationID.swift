import FoundationEssentials
import Jobs

/// What the disk's `operation_id` is set to, so that whoever asked can follow the operation.
struct OperationID: Hashable, Sendable, PayloadValue {
    static let requirement = "a UUID"

    let uuid: UUID

    init?(wire: String) {
        guard let uuid = UUID(uuidString: wire) else { return nil }
        self.uuid = uuid
    }
}
