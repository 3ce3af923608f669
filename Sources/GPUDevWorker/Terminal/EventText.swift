import FoundationEssentials

/// A completion event, as it is printed for people.
struct EventText: Decodable {
    private struct Fault: Decodable {
        let reason: String?
        let code: String?
        let error: String?
    }

    private let id: String
    private let time: String
    private let type: String
    private let subject: String?
    private let fault: Fault?
    private let content: JSONValue?

    private enum CodingKeys: String, CodingKey {
        case id, time, type, subject
        case content = "data"
    }

    /// Nil if the message is no such event.
    init?(_ body: [UInt8]) {
        guard let event = try? JSONDecoder().decode(EventText.self, from: Data(body)) else { return nil }
        self = event
    }

    init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        self.id = try fields.decode(String.self, forKey: .id)
        self.time = try fields.decode(String.self, forKey: .time)
        self.type = try fields.decode(String.self, forKey: .type)
        self.subject = try fields.decodeIfPresent(String.self, forKey: .subject)
        self.fault =
            self.type.hasSuffix(".failed") ? try? fields.decode(Fault.self, forKey: .content) : nil
        self.content = try? fields.decode(JSONValue.self, forKey: .content)
    }

    var isSuccess: Bool { self.type.hasSuffix(".completed") }

    /// Time, type, what it is about, id, and why the job died if it did.
    var line: String {
        ([self.time, self.type, self.subject ?? "-", self.id] + (self.reason.map { [$0] } ?? []))
            .joined(separator: "  ")
    }

    /// Why the job died; nil if it did not.
    var reason: String? {
        guard let fault else { return nil }
        return [fault.reason, fault.code, fault.error].compactMap { $0 }.filter { !$0.isEmpty }
            .joined(separator: ": ")
    }

    /// The data in JSON, with its names in order; nil if there are none.
    var data: String? {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return self.content.flatMap { try? encoder.encode($0) }.map { String(decoding: $0, as: UTF8.self) }
    }
}
