import FoundationEssentials

/// All that a probe looked at, as JSON.
struct VerboseAnswer: Encodable {
    private struct Check: Encodable {
        let status: String
        let detail: String?
    }

    private let status: String
    private let checks: [String: Check]

    init(_ checks: [AdminPages.Check]) {
        self.status = Self.word(checks.allSatisfy { $0.trouble == nil })
        let named = checks.map {
            ($0.name, Check(status: Self.word($0.trouble == nil), detail: $0.trouble))
        }
        self.checks = Dictionary(named) { first, _ in first }
    }

    private static func word(_ isFine: Bool) -> String { isFine ? "ok" : "failing" }

    var json: String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // Strings in dictionaries can always be encoded.
        let data = (try? encoder.encode(self)) ?? Data()
        return String(decoding: data, as: UTF8.self) + "\n"
    }
}
