import Jobs

/// The wish for a name, in any spelling.
struct PreferredName: Sendable, PayloadValue {
    static let requirement = "text of at most 255 characters"
    static let schema = ValueSchema.text(atMost: 255)

    let text: String

    init?(wire: String) {
        guard wire.unicodeScalars.count <= 255 else { return nil }
        self.text = wire
    }
}
