/// A condition on what EC2 lists: any of the values, compared literally.
package struct Filter: Hashable, Sendable {
    /// The name of the filter, such as `status` or `tag:disk_name`.
    package let name: String
    /// Alternatives, at most `mostValues`.
    package let values: [String]

    /// As many as EC2 takes for one filter.
    package static let mostValues = 200

    /// A filter by EC2's own name for it.
    package init(_ name: String, _ values: [String]) {
        self.name = name
        self.values = values
    }

    /// Resources whose tag `key` has one of the values.
    package static func tag(_ key: String, _ values: String...) -> Filter { Filter("tag:\(key)", values) }

    /// Resources that have a tag `key`, whatever its value.
    package static func hasTag(_ key: String) -> Filter { Filter("tag-key", [key]) }

    /// Volumes or snapshots in one of the states, in EC2's words.
    package static func status(_ states: String...) -> Filter { Filter("status", states) }

    /// Snapshots of one of the volumes.
    package static func volume(_ ids: VolumeID...) -> Filter { Filter("volume-id", ids.map(\.rawValue)) }

    /// Volumes of one of the ids; unlike a call that names ids, it leaves out those that do not exist.
    package static func volumes(_ ids: some Sequence<VolumeID>) -> Filter {
        Filter("volume-id", ids.map(\.rawValue))
    }

    /// `*`, `?` and `\` would be wildcards; a backslash makes them literal.
    var escapedValues: [String] {
        self.values.map { value in
            // By scalars: with a combining mark after it a wildcard is another character, but not for EC2.
            value.unicodeScalars.reduce(into: "") { escaped, scalar in
                if scalar == "*" || scalar == "?" || scalar == "\\" { escaped += "\\" }
                escaped.unicodeScalars.append(scalar)
            }
        }
    }
}
