import Jobs

/// A port that a service of Kubernetes opens on nodes; others lead to what no reservation has opened.
struct NodePort: Hashable, Sendable, PayloadValue {
    static let requirement = "a whole number from 30000 to 32767"
    static let schema = ValueSchema.whole(30_000...32_767)

    let number: Int

    init?(wire: Int) {
        guard 30_000...32_767 ~= wire else { return nil }
        self.number = wire
    }
}
