import Jobs

/// The pod that serves Jupyter; the value of the tag `PodName`.
struct PodName: Hashable, Sendable, CustomStringConvertible, PayloadValue {
    static let requirement =
        "the name of a pod: 1 to 253 of a-z, 0-9, '.' and '-', a letter or digit first and last"

    let description: String

    init?(wire: String) {
        guard wire.utf8.count <= 253, wire.wholeMatch(of: /[a-z0-9]([a-z0-9.\-]*[a-z0-9])?/) != nil else {
            return nil
        }
        self.description = wire
    }
}
