import Foundation
import Platform

/// A request of EC2's query protocol.
struct Form: Sendable {
    let fields: [String: String]

    init(_ body: String) {
        var fields: [String: String] = [:]
        for pair in body.split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2 else { continue }
            fields[Self.decoded(parts[0])] = Self.decoded(parts[1])
        }
        self.fields = fields
    }

    private static func decoded(_ text: Substring) -> String {
        guard text.utf8.contains(UInt8(ascii: "%")) else { return String(text) }
        return String(text).removingPercentEncoding ?? ""
    }

    var action: String { self["Action"] ?? "" }

    subscript(_ name: String) -> String? { self.fields[name] }

    /// The values of `Name.1`, `Name.2` and so on.
    func list(_ name: String) -> [String] {
        var values: [String] = []
        while let value = self["\(name).\(values.count + 1)"] { values.append(value) }
        return values
    }

    func tags(_ name: String) -> [String: String] {
        var tags: [String: String] = [:]
        var position = 1
        while let key = self["\(name).\(position).Key"] {
            tags[key] = self["\(name).\(position).Value"] ?? ""
            position += 1
        }
        return tags
    }

    var filters: [Condition] {
        var filters: [Condition] = []
        while let name = self["Filter.\(filters.count + 1).Name"] {
            let values = self.list("Filter.\(filters.count + 1).Value")
            filters.append(Condition(name: name, values: values.map { $0.filter { $0 != "\\" } }))
        }
        return filters
    }
}

/// A filter of a list; the names in these worlds have no wildcards.
struct Condition: Sendable {
    let name: String
    let values: [String]

    func admits(_ tags: [String: String], _ state: String, volume: String) -> Bool {
        switch self.name {
        case "status": self.values.contains(state)
        case "volume-id": self.values.contains(volume)
        case "tag-key": self.values.contains { tags[$0] != nil }
        default:
            tags[String(self.name.dropFirst("tag:".count))].map { self.values.contains($0) } ?? false
        }
    }
}

/// The user and the name of a disk.
struct DiskName: Hashable, Sendable, CustomStringConvertible {
    let user: String
    let name: String

    init(_ user: String, _ name: String) {
        self.user = user
        self.name = name
    }

    /// The disk that tags name.
    init?(_ tags: [String: String]) {
        guard let user = tags["gpu-dev-user"], let name = tags["disk_name"] ?? tags["disk-name"] else {
            return nil
        }
        self.init(user, name)
    }

    var description: String { "\(self.user)/\(self.name)" }
}
