import EventLoops
import RabbitMQ
import Testing

struct ConsumingTests {
    private func publish(_ count: Int, to queue: String, on connection: RabbitMQConnection) async throws {
        let batch = (0..<count).map { OutgoingMessage(Message(body: [UInt8($0)]), to: "", routingKey: queue) }
        let outcomes = try await connection.publish(batch, within: .seconds(10))
        let isAllConfirmed = outcomes.allSatisfy(\.isConfirmed)
        try #require(isAllConfirmed)
    }

    private func temporaryQueue(_ connection: RabbitMQConnection) async throws -> String {
        let name = "test-\(UInt64.random(in: 0 ... .max))"
        return try await connection.declareQueue(name, durable: false, arguments: ["x-expires": 60_000]).name
    }

    @Test func `what was acknowledged is gone, what was not comes again and says so`() async throws {
        let first = try await Broker.connect()
        let queue = try await self.temporaryQueue(first)
        try await self.publish(10, to: queue, on: first)
        let (deliveries, sink) = AsyncStream.makeStream(of: Delivery.self)
        _ = try await first.startConsuming(queue, prefetch: 10) { sink.yield($0) }
        for await delivery in deliveries.prefix(10) where delivery.message.body[0] % 2 == 0 {
            #expect(!delivery.redelivered)
            first.acknowledge(delivery.tag)
        }
        await first.close()

        let second = try await Broker.connect()
        #expect(try await second.declareQueue(queue, passive: true).messages == 5)
        var left: [UInt8] = []
        while let delivery = try await second.get(queue) {
            #expect(delivery.redelivered)
            left.append(delivery.message.body[0])
            second.acknowledge(delivery.tag)
        }
        #expect(left == [1, 3, 5, 7, 9])
        try await second.deleteQueue(queue)
        await second.close()
    }

    @Test func `rejected messages go to the dead-letter exchange, returned ones come again`() async throws {
        let connection = try await Broker.connect()
        let dead = try await connection.declareQueue("", exclusive: true).name
        let arguments: FieldTable = [
            "x-dead-letter-exchange": "", "x-dead-letter-routing-key": .string(dead),
        ]
        let queue = try await connection.declareQueue("", exclusive: true, arguments: arguments).name
        try await self.publish(2, to: queue, on: connection)
        let first = try #require(try await connection.get(queue))
        let second = try #require(try await connection.get(queue))
        connection.reject(first.tag)
        connection.giveBack(second.tag)
        await connection.flushAcknowledgements()
        let again = try #require(try await connection.get(queue))
        #expect(again.redelivered && again.message.body == second.message.body)
        try await eventually("the dead letter arrives") {
            guard let letter = try await connection.get(dead) else { return false }
            #expect(letter.message.body == first.message.body)
            #expect(letter.message.properties.headers["x-first-death-reason"]?.string == "rejected")
            return true
        }
        await connection.close()
    }

    @Test func `a body over the limit is passed over, and the next message comes whole`() async throws {
        let connection = try await Broker.connect()
        let queue = try await connection.declareQueue("", exclusive: true).name
        for size in [300_001, 300_000, 7] {
            let message = Message(body: [UInt8](repeating: 1, count: size))
            let outcome = try await connection.publish(message, to: "", routingKey: queue)
            #expect(outcome.isConfirmed)
        }
        let (deliveries, sink) = AsyncStream.makeStream(of: Delivery.self)
        _ = try await connection.startConsuming(queue, prefetch: 3, largestBody: 300_000) { sink.yield($0) }
        var found: [[Int]] = []
        for await delivery in deliveries.prefix(3) {
            #expect(delivery.isPassedOver == (delivery.bodySize > 300_000))
            found.append([delivery.bodySize, delivery.message.body.count])
            connection.acknowledge(delivery.tag)
        }
        #expect(found == [[300_001, 0], [300_000, 300_000], [7, 7]])
        await connection.close()
    }

    @Test func `no more than prefetch are out at a time`() async throws {
        let connection = try await Broker.connect()
        let queue = try await connection.declareQueue("", exclusive: true).name
        try await self.publish(20, to: queue, on: connection)
        let (deliveries, sink) = AsyncStream.makeStream(of: Delivery.self)
        let tag = try await connection.startConsuming(queue, prefetch: 3) { sink.yield($0) }
        var iterator = deliveries.makeAsyncIterator()
        var held: [Delivery] = []
        while held.count < 3, let delivery = await iterator.next() { held.append(delivery) }
        #expect(try await connection.declareQueue(queue, passive: true).messages == 17)
        for delivery in held { connection.acknowledge(delivery.tag) }
        for _ in 0..<3 { _ = await iterator.next() }
        try await connection.stopConsuming(tag)
        #expect(try await connection.declareQueue(queue, passive: true).messages == 14)
        #expect(try await connection.declareQueue(queue, passive: true).consumers == 0)
        await connection.close()
    }

    @Test func `tags of another connection and second verdicts are dropped`() async throws {
        let first = try await Broker.connect()
        let queue = try await self.temporaryQueue(first)
        try await self.publish(1, to: queue, on: first)
        let old = try #require(try await first.get(queue))
        await first.close()
        first.acknowledge(old.tag)

        let second = try await Broker.connect()
        try await eventually("the message is back") {
            try await second.declareQueue(queue, passive: true).messages == 1
        }
        let new = try #require(try await second.get(queue))
        #expect(new.tag.number == old.tag.number && new.tag != old.tag)
        second.acknowledge(old.tag)
        await second.flushAcknowledgements()
        #expect(await second.droppedAcknowledgements == 1)
        second.acknowledge(new.tag)
        second.giveBack(new.tag)
        #expect(try await second.declareQueue(queue, passive: true).messages == 0)
        #expect(await second.droppedAcknowledgements == 2)
        #expect(await first.droppedAcknowledgements == 1)
        try await second.deleteQueue(queue)
        await second.close()
    }

    @Test func `a refused request leaves an idle connection usable, with new tag numbers`() async throws {
        let connection = try await Broker.connect()
        let queue = try await connection.declareQueue("", exclusive: true).name
        try await self.publish(2, to: queue, on: connection)
        let first = try #require(try await connection.get(queue))
        connection.acknowledge(first.tag)
        let missing = await #expect(throws: RabbitMQError.self) {
            try await connection.declareQueue("no-such-queue", passive: true)
        }
        #expect(missing?.code == .notFound && missing?.operation == "queue.declare")
        let mismatch = await #expect(throws: RabbitMQError.self) {
            try await connection.declareExchange("amq.topic", type: "direct")
        }
        #expect(mismatch?.code == .preconditionFailed)
        try await self.publish(1, to: queue, on: connection)
        let second = try #require(try await connection.get(queue))
        #expect(second.tag.number > first.tag.number)
        connection.acknowledge(first.tag)
        connection.acknowledge(second.tag)
        #expect(try await connection.declareQueue(queue, passive: true).messages == 1)
        #expect(await connection.droppedAcknowledgements == 1)
        await connection.close()
    }

    @Test func `topology is declared, bound and routed`() async throws {
        let connection = try await Broker.connect()
        let (source, target) = ("source-\(connection.epoch)", "target-\(connection.epoch)")
        try await connection.declareExchange(source, type: "topic", durable: false)
        try await connection.declareExchange(target, type: "fanout", durable: false)
        try await connection.declareExchange(source, type: "topic", passive: true)
        let queue = try await connection.declareQueue("", exclusive: true).name
        try await connection.bindExchange(target, to: source, routingKey: "disk.#")
        try await connection.bind(queue: queue, exchange: target, routingKey: "")
        #expect(try await connection.publish(Message(body: []), to: source, routingKey: "disk.a").isConfirmed)
        #expect(
            try await connection.publish(Message(body: []), to: source, routingKey: "x").isConfirmed == false
        )
        #expect(try await connection.get(queue)?.routingKey == "disk.a")
        try await connection.unbind(queue: queue, exchange: target, routingKey: "")
        #expect(
            try await connection.publish(Message(body: []), to: source, routingKey: "disk.a").isConfirmed
                == false
        )
        try await connection.purge(queue)
        try await connection.deleteExchange(source)
        try await connection.deleteExchange(target)
        await connection.close()
    }

    @Test func `a queue deleted under its consumer ends the connection with the reason`() async throws {
        let connection = try await Broker.connect()
        let queue = try await self.temporaryQueue(connection)
        _ = try await connection.startConsuming(queue, prefetch: 1) { _ in }
        let other = try await Broker.connect()
        try await other.deleteQueue(queue)
        #expect(await connection.waitUntilClosed()?.code == .consumerCancelled)
        await other.close()
    }

    @Test func `a stream is read from its first entry`() async throws {
        let connection = try await Broker.connect()
        let queue = "stream-\(UInt64.random(in: 0 ... .max))"
        try await connection.declareQueue(queue, arguments: ["x-queue-type": "stream"])
        try await self.publish(3, to: queue, on: connection)
        let (deliveries, sink) = AsyncStream.makeStream(of: Delivery.self)
        let offset: FieldTable = ["x-stream-offset": "first"]
        _ = try await connection.startConsuming(queue, prefetch: 10, arguments: offset) { sink.yield($0) }
        var bodies: [UInt8] = []
        for await delivery in deliveries.prefix(3) {
            bodies += delivery.message.body
            connection.acknowledge(delivery.tag)
        }
        #expect(bodies == [0, 1, 2])
        try await connection.deleteQueue(queue)
        await connection.close()
    }

    @Test func `consuming a queue that does not exist is refused`() async throws {
        let connection = try await Broker.connect()
        let error = await #expect(throws: RabbitMQError.self) {
            try await connection.startConsuming("no-such-queue", prefetch: 1) { _ in }
        }
        #expect(error?.code == .notFound)
        #expect(try await connection.declareQueue("", exclusive: true).messages == 0)
        await connection.close()
    }

    @Test func `deliveries, acknowledgements and publishes need no other thread`() async throws {
        let loop = EventLoop(name: "counted")
        let connection = try await Broker.connect(on: loop)
        let queue = try await connection.declareQueue("", exclusive: true).name
        let enqueues = try await Task(executorPreference: loop) {
            let before = loop.remoteEnqueues
            try await self.publish(200, to: queue, on: connection)
            let (deliveries, sink) = AsyncStream.makeStream(of: Delivery.self)
            _ = try await connection.startConsuming(queue, prefetch: 50) { sink.yield($0) }
            for await delivery in deliveries.prefix(200) { connection.acknowledge(delivery.tag) }
            await connection.flushAcknowledgements()
            return loop.remoteEnqueues - before
        }.value
        #expect(enqueues == 0)
        #expect(try await connection.declareQueue(queue, passive: true).messages == 0)
        await connection.close()
    }
}
