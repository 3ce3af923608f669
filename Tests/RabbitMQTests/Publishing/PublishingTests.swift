import RabbitMQ
import Testing

struct PublishingTests {
    private func message(_ text: String, headers: FieldTable = [:]) -> Message {
        Message(properties: MessageProperties(messageID: "same", headers: headers), body: Array(text.utf8))
    }

    @Test func `a thousand messages are confirmed in one batch`() async throws {
        let connection = try await Broker.connect()
        let queue = try await connection.declareQueue("", exclusive: true).name
        let batch = (0..<1000).map { OutgoingMessage(self.message("\($0)"), to: "", routingKey: queue) }
        let outcomes = try await connection.publish(batch, within: .seconds(30))
        #expect(outcomes.count == 1000)
        let isAllConfirmed = outcomes.allSatisfy(\.isConfirmed)
        #expect(isAllConfirmed)
        #expect(try await connection.declareQueue(queue, passive: true).messages == 1000)
        await connection.close()
    }

    @Test(arguments: [true, false])
    func `returned messages are told apart from confirmed ones of the same id`(isMarked: Bool) async throws {
        let connection = try await Broker.connect()
        let queue = try await connection.declareQueue("", exclusive: true).name
        let batch = (0..<100).map { index in
            // What another publisher has left in the headers means nothing.
            let message = self.message("\(index)", headers: ["x-outbox-id": 7, "x-publish-id": 1])
            return OutgoingMessage(
                message,
                to: "",
                routingKey: index % 3 == 0 ? "nowhere-\(queue)" : queue,
                outboxID: isMarked ? Int64(index) : nil
            )
        }
        let outcomes = try await connection.publish(batch, within: .seconds(10))
        for (index, outcome) in outcomes.enumerated() {
            guard case .returned(let code, let text) = outcome else {
                #expect(index % 3 != 0 && outcome.isConfirmed)
                continue
            }
            // 312 NO_ROUTE, AMQP 0-9-1 reply codes.
            #expect(index % 3 == 0 && code == 312 && text == "NO_ROUTE")
        }
        await connection.close()
    }

    @Test func `a full queue refuses, and a message without a queue is confirmed unless mandatory`()
        async throws
    {
        let connection = try await Broker.connect()
        let limits: FieldTable = ["x-max-length": 1, "x-overflow": "reject-publish"]
        let queue = try await connection.declareQueue("", exclusive: true, arguments: limits).name
        var batch = (0..<3).map { OutgoingMessage(self.message("\($0)"), to: "", routingKey: queue) }
        batch.append(
            OutgoingMessage(self.message("lost"), to: "", routingKey: "nowhere-\(queue)", mandatory: false)
        )
        let outcomes = try await connection.publish(batch, within: .seconds(10))
        #expect(outcomes[0].isConfirmed)
        guard case .refused = outcomes[2] else {
            Issue.record("the third message is \(outcomes[2])")
            return
        }
        #expect(outcomes[3].isConfirmed)
        await connection.close()
    }

    @Test func `an exchange that does not exist fails the batch and ends the connection`() async throws {
        let connection = try await Broker.connect()
        let error = await #expect(throws: RabbitMQError.self) {
            try await connection.publish(self.message("x"), to: "no-such-exchange", routingKey: "x")
        }
        #expect(error?.code == .notFound && error?.replyCode == 404)
        #expect(await connection.waitUntilClosed()?.replyCode == 404)
    }

    @Test func `many callers publish at once`() async throws {
        let connection = try await Broker.connect()
        let queue = try await connection.declareQueue("", exclusive: true).name
        let confirmed = try await withThrowingTaskGroup { group in
            for index in 0..<200 {
                group.addTask {
                    try await connection.publish(self.message("\(index)"), to: "", routingKey: queue)
                }
            }
            return try await group.reduce(0) { $0 + ($1.isConfirmed ? 1 : 0) }
        }
        #expect(confirmed == 200)
        await connection.close()
    }

    @Test func `a cancelled publish returns at once`() async throws {
        let connection = try await Broker.connect()
        let task = Task { try await connection.publish(self.message("x"), to: "", routingKey: "nowhere") }
        task.cancel()
        _ = await task.result
        await connection.close()
        let error = await #expect(throws: RabbitMQError.self) {
            try await connection.publish(self.message("x"), to: "", routingKey: "nowhere")
        }
        #expect(error?.code == .closed)
    }
}
