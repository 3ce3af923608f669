import HTTP

/// The parameters of a form request, in order.
struct FormParameters: Sendable {
    private(set) var pairs: [(name: String, value: String)] = []

    /// Sets nothing for nil.
    mutating func add(_ name: String, _ value: String?) {
        guard let value else { return }
        self.pairs.append((name, value))
    }

    mutating func add(_ name: String, _ value: Int?) {
        self.add(name, value.map { String($0) })
    }

    /// A list as EC2 writes it, `Name.1`, or with `prefix` `member.` as the others do, `Name.member.1`.
    mutating func add(_ name: String, _ values: [String], prefix: String = "") {
        for (index, value) in values.enumerated() { self.add("\(name).\(prefix)\(index + 1)", value) }
    }

    mutating func add(_ filters: [Filter]) {
        for (index, filter) in filters.enumerated() {
            self.add("Filter.\(index + 1).Name", filter.name)
            self.add("Filter.\(index + 1).Value", filter.escapedValues)
        }
    }

    mutating func add(_ name: String, _ tags: Tags, prefix: String = "") {
        for (index, tag) in tags.sorted(by: { $0.key < $1.key }).enumerated() {
            self.add("\(name).\(prefix)\(index + 1).Key", tag.key)
            self.add("\(name).\(prefix)\(index + 1).Value", tag.value)
        }
    }

    /// Replaces what was set before.
    mutating func set(_ name: String, _ value: String) {
        self.pairs.removeAll { $0.name == name }
        self.add(name, value)
    }

    var encoded: String {
        self.pairs.map { "\($0.name.percentEncoded())=\($0.value.percentEncoded())" }.joined(separator: "&")
    }
}
