import Jobs

/// The size of a disk's volumes, GiB, within the limits of gp3.
struct DiskSize: Hashable, Sendable, PayloadValue {
    static let requirement = "a whole number from 1 to 16384"
    static let schema = ValueSchema.whole(1...16384)
    /// In GiB.
    static let usual = 1024

    let gibibytes: Int

    init?(wire: Int) {
        guard 1...16384 ~= wire else { return nil }
        self.gibibytes = wire
    }
}
