import FoundationEssentials
import Jobs
import RabbitMQ
import Testing

@Suite struct FinalFailureTests {
    private let time = Date(timeIntervalSince1970: 1_735_787_045.5)

    @Test func `a letter keeps body, properties and headers and tells the story`() throws {
        let original = Message(
            properties: MessageProperties(
                messageID: "not an id",
                type: "disk.create",
                priority: 3,
                headers: ["x-requested-by": "alice", "odd": .opaqueString([0xFF, 0]), "n": .int16(-4)],
            ),
            body: [0xFF, 0x00, 0x7B]
        )
        let letter = self.letter(for: original)

        #expect(letter.body == original.body)
        #expect(letter.properties.messageID == "not an id")
        #expect(letter.properties.priority == 3)
        #expect(letter.properties.deliveryMode == 2)
        #expect(letter.properties.headers.entries.prefix(3) == original.properties.headers.entries[...])
        #expect(letter.properties.headers["x-dead-reason"] == "exhausted")
        #expect(letter.properties.headers["x-dead-code"] == "RequestLimitExceeded")
        #expect(letter.properties.headers["x-dead-attempts"] == 12)
        #expect(letter.properties.headers["x-dead-at"] == "2025-01-02T03:04:05.500Z")
        #expect(letter.properties.headers["x-original-exchange"] == "gpudev.jobs")
        #expect(letter.properties.headers["x-original-routing-key"] == "disk.create")
        #expect(letter.properties.headers["x-replay-count"] == 0)
    }

    @Test func `what the broker would refuse or drop moves into headers`() {
        let letter = self.letter(
            for: Message(properties: MessageProperties(expiration: "5000", userID: "alice"), body: [])
        )
        #expect(letter.properties.userID == nil)
        #expect(letter.properties.expiration == nil)
        #expect(letter.properties.headers["x-original-user-id"] == "alice")
        #expect(letter.properties.headers["x-original-expiration"] == "5000")
    }

    @Test func `a letter that dies again has each header once and keeps its count of replays`() {
        let first = self.letter(for: Message(body: []))
        let replayed = first.with { $0.headers["x-replay-count"] = 1 }
        let second = self.letter(for: replayed)
        #expect(second.properties.headers["x-replay-count"] == 1)
        let names = second.properties.headers.entries.map(\.name)
        #expect(names.count == Set(names).count)
    }

    @Test(arguments: [0, 1, 2, 3])
    func `a long error is cut to whole characters within 4 KiB`(padding: Int) throws {
        let error = String(repeating: "a", count: padding) + String(repeating: "€", count: 2000)
        let death = FinalFailure(.rejected, error: error)
        let letter = death.deadLetter(for: Message(body: []), exchange: "e", routingKey: "k", at: self.time)
        let header = try #require(letter.properties.headers["x-dead-error"]?.string)
        #expect(header.utf8.count <= 4096)
        #expect(header.utf8.count > 4092)
        #expect(error.hasPrefix(header))
    }

    @Test func `what comes from outside is cleaned once, and bounded`() {
        let text = "\u{1B}]0;owned\u{07}a\nb\tc\0\u{9B}31m\u{7F}\u{202E}\u{2066}ü€"
        let clean = "\u{FFFD}]0;owned\u{FFFD}a b c\u{FFFD}\u{FFFD}31m\u{FFFD}\u{FFFD}\u{FFFD}ü€"
        #expect(FinalFailure(.rejected, code: text, error: text).code == clean)
        #expect(FinalFailure(.rejected, code: text, error: text).error == clean)
        #expect(Reason(text, text).description == "\(clean): \(clean)")
        #expect(Reason(text, String(repeating: text, count: 1000)).message.utf8.count <= 4096)
    }

    @Test func `controls in JSON are escaped, and mean the same`() {
        #expect("[\"a\u{9B}\u{202E}ü\u{7F}\"]".withEscapedControls == #"["a\u009b\u202eü\u007f"]"#)
    }

    private func letter(for message: Message) -> Message {
        FinalFailure(.exhausted, code: "RequestLimitExceeded", error: "AWS throttled", attempts: 12)
            .deadLetter(for: message, exchange: "gpudev.jobs", routingKey: "disk.create", at: self.time)
    }
}
