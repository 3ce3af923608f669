import Jobs

/// Why a reservation ends, for people.
struct EndReason: Sendable, PayloadValue {
    static let requirement = "text of at most 1024 characters"
    static let schema = ValueSchema.text(atMost: 1024)

    let text: String

    init?(wire: String) {
        guard wire.unicodeScalars.count <= 1024 else { return nil }
        self.text = wire
    }
}
