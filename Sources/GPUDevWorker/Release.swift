import FoundationEssentials

/// Which program this is: what release.txt said when it was built.
struct Release: Encodable {
    let version: String
    /// Empty where nobody said.
    let commit: String

    static let current = Release(String(decoding: PackageResources.release_txt, as: UTF8.self))

    var json: String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // Two strings can always be encoded.
        return String(decoding: (try? encoder.encode(self)) ?? Data(), as: UTF8.self)
    }

    private init(_ text: String) {
        let lines = text.split(separator: "\n").map(String.init)
        self.version = lines.first ?? "unknown"
        self.commit = lines.dropFirst().first ?? ""
    }
}

extension Release: CustomStringConvertible {
    var description: String { self.commit.isEmpty ? self.version : "\(self.version) (\(self.commit))" }
}
