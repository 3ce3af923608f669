import Jobs
import Platform

// What the payloads of kinds that take a snapshot say of it.

extension PayloadField<SnapshotType> {
    static var snapshotType: PayloadField {
        .optional(
            "snapshot_type",
            "Why the snapshot is taken; becomes the tag SnapshotType. shutdown when left out.",
            default: "shutdown"
        )
    }
}

extension PayloadField<ContentURI?> {
    static var content: PayloadField {
        .optional(
            "content_s3_uri",
            "Where the listing of the disk's files lies; becomes the tag snapshot_content_s3."
        )
    }
}

extension PayloadField<DiskUsage?> {
    static var usage: PayloadField {
        .optional(
            "disk_size",
            "How much of the disk is in use, as du prints it, such as 1.2G; becomes the tag disk_size."
        )
    }
}
