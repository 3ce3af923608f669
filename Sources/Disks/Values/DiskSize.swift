import Jobs

/// The size of a disk's volumes, GiB, within the limits of gp3.
struct DiskSize: Hashable, Sendable, PayloadValue {
    static let requirement = "a whole number from 1 to 16384"
    static let usual = DiskSize(gibibytes: 1024)

    let gibibytes: Int

    private init(gibibytes: Int) { self.gibibytes = gibibytes }

    init?(wire: Int) {
        guard 1...16384 ~= wire else { return nil }
        self.gibibytes = wire
    }
}
