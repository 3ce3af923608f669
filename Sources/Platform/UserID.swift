package import Jobs

/// A user of the platform, usually an e-mail address; the value of the tag `gpu-dev-user`.
package struct UserID: Hashable, Sendable, CustomStringConvertible, PayloadValue {
    package static let requirement = "1 to 255 characters without control characters"
    package static let schema = ValueSchema.text(atLeast: 1, atMost: 255, pattern: #"^[^\x00-\x1f\x7f]+$"#)

    package let description: String

    package init?(wire: String) {
        let isPlain = wire.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F }
        guard 1...255 ~= wire.unicodeScalars.count, isPlain else { return nil }
        self.description = wire
    }

    /// What stands before the `@` of an e-mail address.
    package var localPart: Substring { self.description.prefix { $0 != "@" } }
}
