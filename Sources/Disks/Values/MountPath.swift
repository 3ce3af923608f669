import Jobs

/// Where a container has a disk.
struct MountPath: Hashable, Sendable, PayloadValue {
    static let requirement = "an absolute path of at most 256 characters without control characters"
    static let schema = ValueSchema.text(atMost: 256, pattern: #"^/[^\x00-\x1f\x7f]*$"#)

    let text: String

    init?(wire: String) {
        let isPlain = wire.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F }
        guard wire.utf8.first == UInt8(ascii: "/"), wire.unicodeScalars.count <= 256, isPlain else {
            return nil
        }
        self.text = wire
    }
}
