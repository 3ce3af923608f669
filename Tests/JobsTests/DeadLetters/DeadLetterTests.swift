import Foundation
import RabbitMQ
import Testing

@testable import Jobs

@Suite struct `A dead letter` {
    private let body = [UInt8](#"{"user_id": "alice"}"#.utf8)
    private let job = "0b6d7a52-3d61-4d8e-9f4b-0c7f5a1b2c3d"

    private func message(_ headers: FieldTable = [:]) -> Message {
        let properties = MessageProperties(
            messageID: self.job,
            type: "disk.create",
            expiration: "60000",
            headers: headers
        )
        return Message(properties: properties, body: self.body)
    }

    private func letter(_ message: Message) -> DeadLetter {
        DeadLetter(
            message,
            from: "gpudev.dead",
            routingKey: "disk.create",
            in: "gpudev.disks.dead",
            of: .ofTests
        )
    }

    @Test func `comes back as it was, with one replay more`() {
        let original = self.message(["x-requested-by": "alice"])
        let death = FinalFailure(.rejected, code: "unknown-disk", error: "none", attempts: 1)
        let buried = death.deadLetter(
            for: original,
            exchange: "gpudev.jobs",
            routingKey: "disk.create",
            at: .now
        )
        let letter = self.letter(buried)
        #expect(letter.reason == "rejected")
        #expect(letter.attempts == 1)
        #expect(letter.exchange == "gpudev.jobs")
        let replay = letter.replay(by: "bob", at: Date(timeIntervalSince1970: 0))
        #expect(replay.body == self.body)
        #expect(replay.properties.expiration == "60000")
        #expect(
            replay.properties.headers == [
                "x-requested-by": "alice", "x-replay-count": 1, "x-replayed-at": "1970-01-01T00:00:00.000Z",
                "x-replayed-by": "bob",
            ]
        )
    }

    @Test(
        arguments: [
            ("delivery_limit", "delivery-limit"), ("rejected", "rejected-by-broker"), ("expired", "expired"),
        ]
    )
    func `of the broker itself is understood too`(_ word: String, _ reason: String) {
        let death: FieldTable = [
            "reason": .string(word), "exchange": "gpudev.jobs", "time": .timestamp(1_700_000_000),
            "routing-keys": .array(["disk.create"]),
        ]
        let letter = self.letter(self.message(["x-death": .array([.table(death)])]))
        #expect(letter.reason == reason)
        #expect(letter.exchange == "gpudev.jobs")
        #expect(letter.deadAt == Date(timeIntervalSince1970: 1_700_000_000))
        #expect(letter.replay(by: "bob", at: .now).properties.headers["x-death"] == nil)
    }

    @Test func `that was rejected for its size tells so by its size`() {
        let death: FieldTable = [
            "x-death": .array([.table(["reason": "rejected", "exchange": "gpudev.jobs"])])
        ]
        func message(_ size: Int) -> Message {
            Message(properties: self.message(death).properties, body: [UInt8](repeating: 0, count: size))
        }
        #expect(self.letter(message(largestJobBody + 1)).reason == "malformed")
        #expect(self.letter(message(largestJobBody + 1)).code == "size")
        #expect(self.letter(message(largestJobBody)).reason == "rejected-by-broker")
    }

    @Test func `that the broker buried goes back by the key that the broker knows, whatever its headers say`()
    {
        let headers: FieldTable = [
            "x-original-exchange": "", "x-original-routing-key": "disk.delete",
            "x-death": .array([.table(["reason": "delivery_limit", "exchange": "gpudev.jobs"])]),
        ]
        #expect(self.letter(self.message(headers)).replayRoutingKey == "disk.create")
        let byQueue = DeadLetter(
            self.message(),
            from: "gpudev.dead",
            routingKey: "gpudev.disks",
            in: "x",
            of: .ofTests
        )
        #expect(byQueue.replayRoutingKey == "disk.create")
    }

    @Test(arguments: [Int64.max, Int64.min, 2_147_483_647, 5_000_000_000])
    func `whose count of replays no ledger can hold is counted within it`(_ count: Int64) {
        let message = self.message(["x-replay-count": .int64(count)])
        let again = self.letter(message).replay(by: "bob", at: .now)
        let replays = again.properties.headers["x-replay-count"]?.integer ?? -1
        #expect(1...Int64(Int32.max) ~= replays)
        #expect(
            !DeadLettering(Malformed("json", "x"), of: self.delivery(message), in: .ofTests)
                .messages().isEmpty
        )
    }

    private func delivery(_ message: Message) -> Delivery {
        Delivery(
            tag: DeliveryTag(epoch: 1, number: 1),
            redelivered: false,
            exchange: "gpudev.jobs",
            routingKey: "disk.create",
            queue: "gpudev.disks",
            message: message
        )
    }

    @Test func `is chosen only if it meets all that was asked for`() {
        let letter = self.letter(
            self.message(["x-dead-reason": "rejected", "x-dead-at": "2025-01-02T03:04:05Z"])
        )
        var filter = DeadLetterFilter()
        #expect(filter.accepts(letter))
        filter.job = self.job.uppercased()
        filter.reason = "rejected"
        filter.kind = "disk.create"
        #expect(filter.accepts(letter))
        filter.before = Date(timeIntervalSince1970: 0)
        #expect(!filter.accepts(letter))
    }
}
