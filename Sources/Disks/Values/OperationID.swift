import FoundationEssentials
import Jobs
import Postgres

/// What the disk's `operation_id` is set to, so that whoever asked can follow the operation.
struct OperationID: Hashable, Sendable, PayloadValue {
    static let requirement = "a UUID"
    static let schema = ValueSchema.text(
        format: "uuid",
        pattern: "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"
    )

    let uuid: UUID

    init?(wire: String) {
        guard let uuid = UUID(text: wire) else { return nil }
        self.uuid = uuid
    }
}

extension PayloadField<OperationID?> {
    static var operation: PayloadField {
        .optional(
            "operation_id",
            "Becomes the disk's operation_id, by which whoever asked follows the operation."
        )
    }
}
