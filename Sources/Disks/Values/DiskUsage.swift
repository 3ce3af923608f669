import Jobs

/// How much of a disk is in use, as du prints it; the value of the tag `disk_size`.
struct DiskUsage: Hashable, Sendable, PayloadValue {
    static let requirement = "a size as du prints it, such as 1.2G"

    let text: String

    init?(wire: String) {
        guard wire.utf8.count <= 32, wire.wholeMatch(of: /[0-9]+([.,][0-9]+)?[BKMGTPE]?/) != nil else {
            return nil
        }
        self.text = wire
    }
}
