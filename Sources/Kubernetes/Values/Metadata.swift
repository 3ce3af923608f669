import FoundationEssentials

/// What all objects have. (Kubernetes API reference, `ObjectMeta`.)
struct Metadata: Decodable {
    let name: String
    let namespace: String?
    let uid: String?
    let labels: [String: String]?
    let annotations: [String: String]?
    let creationTimestamp: Timestamp?
    let deletionTimestamp: Timestamp?
}

/// A time as Kubernetes writes it: RFC 3339 in UTC, with or without a fraction.
struct Timestamp: Decodable, Sendable {
    let date: Date

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        let format = Date.ISO8601FormatStyle(
            includingFractionalSeconds: text.utf8.contains(UInt8(ascii: "."))
        )
        guard let date = try? format.parse(text) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "it is no time")
        }
        self.date = date
    }
}
