import EventLoops
import Logging
import RabbitMQ
import Synchronization
import Testing

struct ConnectionLossTests {
    @Test func `a wrong password is told apart`() async throws {
        let port = try Broker.port()
        let configuration = try RabbitMQConfiguration(url: "amqp://guest:wrong-secret@127.0.0.1:\(port)/")
        let error = await #expect(throws: RabbitMQError.self) { _ = try await Broker.connect(configuration) }
        #expect(error?.code == .authenticationFailed)
        #expect(error?.description.contains("wrong-secret") == false)
    }

    @Test func `a virtual host that does not exist is told apart`() async throws {
        let port = try Broker.port()
        let configuration = try RabbitMQConfiguration(url: "amqp://guest:guest@127.0.0.1:\(port)/nowhere")
        let error = await #expect(throws: RabbitMQError.self) { _ = try await Broker.connect(configuration) }
        #expect(error?.code == .accessRefused && error?.replyCode == 530)
    }

    @Test func `TLS to a port without TLS fails in time`() async throws {
        var configuration = try RabbitMQConfiguration(
            url: "amqps://guest:guest@127.0.0.1:\(try Broker.port())/"
        )
        configuration.connectTimeout = .seconds(2)
        let start = ContinuousClock.now
        let error = await #expect(throws: RabbitMQError.self) { _ = try await Broker.connect(configuration) }
        #expect([.tlsFailed, .deadlineExceeded].contains(error?.code))
        #expect(start.duration(to: .now) < .seconds(5))
    }

    @Test func `a port where nobody listens fails at once`() async throws {
        let configuration = try RabbitMQConfiguration(url: "amqp://127.0.0.1:1/")
        let error = await #expect(throws: RabbitMQError.self) { _ = try await Broker.connect(configuration) }
        #expect(error?.code == .connectionFailed && error?.isRetryable == true)
    }

    @Test func `the reason of the broker's leave is kept`() async throws {
        let configuration = try Broker.configuration()
        let connection = try await Broker.connect(configuration)
        try await Broker.closeConnection(named: configuration.connectionName)
        let reason = await connection.waitUntilClosed()
        // 320 CONNECTION_FORCED, AMQP 0-9-1 reply codes.
        #expect(reason?.code == .connectionLost && reason?.replyCode == 320)
    }

    @Test func `a lost connection is opened again, each time with one consumer`() async throws {
        let configuration = try Broker.configuration()
        let client = RabbitMQClient(
            configuration,
            on: EventLoop(name: "client"),
            logger: Logger(label: "test")
        )
        let queue = "reconnect-\(configuration.connectionName)"
        let (epochs, sink) = AsyncStream.makeStream(of: UInt64.self)
        let (deliveries, deliverySink) = AsyncStream.makeStream(of: Delivery.self)
        let running = Task {
            await client.run { connection in
                try await connection.declareQueue(queue, durable: false, arguments: ["x-expires": 60_000])
                _ = try await connection.startConsuming(queue, prefetch: 10) { delivery in
                    connection.acknowledge(delivery.tag)
                    deliverySink.yield(delivery)
                }
                sink.yield(connection.epoch)
                _ = await connection.waitUntilClosed()
                if Task.isCancelled { await connection.close() }
            }
        }
        var seen: Set<UInt64> = []
        var iterator = epochs.makeAsyncIterator()
        for round in 0...3 {
            let epoch = try #require(await iterator.next())
            seen.insert(epoch)
            if round < 3 { try await Broker.closeConnection(named: configuration.connectionName) }
        }
        #expect(seen.count == 4)
        let other = try await Broker.connect()
        #expect(try await other.declareQueue(queue, passive: true).consumers == 1)
        #expect(try await other.publish(Message(body: [1]), to: "", routingKey: queue).isConfirmed)
        #expect(await deliveries.first { _ in true }?.message.body == [1])
        running.cancel()
        await running.value
        try await other.deleteQueue(queue)
        await other.close()
    }

    @Test func `an idle connection outlives many heartbeats on a busy loop`() async throws {
        let loop = EventLoop(name: "busy")
        let connection = try await Broker.connect(try Broker.configuration(heartbeat: .seconds(1)), on: loop)
        let busy = Task(executorPreference: loop) {
            while !Task.isCancelled { await Task.yield() }
        }
        try await loop.sleep(for: .seconds(4))
        busy.cancel()
        #expect(await !connection.isClosed)
        #expect(try await connection.declareQueue("", exclusive: true).messages == 0)
        await connection.close()
    }

    @Test func `a peer that falls silent is found within two heartbeats`() async throws {
        let proxy = try Proxy(to: try Broker.port())
        defer { proxy.close() }
        let connection = try await Broker.connect(
            try self.configuration(through: proxy, heartbeat: .seconds(1))
        )
        proxy.stall(down: true)
        let (reason, silence) = await withTaskExecutorPreference(connection.loop) {
            let start = ContinuousClock.now
            let reason = await connection.waitUntilClosed()
            return (reason, start.duration(to: .now))
        }
        #expect(reason?.code == .connectionLost)
        #expect(silence < .seconds(4))
    }

    @Test func `a peer that stops reading holds publishes up, and never the loop`() async throws {
        let proxy = try Proxy(to: try Broker.port())
        defer { proxy.close() }
        let longest = Mutex(Duration.zero)
        let loop = EventLoop(
            name: "stalled",
            lateness: Lateness(above: .zero) { turn in longest.withLock { $0 = max($0, turn) } }
        )
        let configuration = try self.configuration(through: proxy, heartbeat: .seconds(4))
        let connection = try await Broker.connect(configuration, on: loop)
        proxy.stall(down: false)
        let body = [UInt8](repeating: 1, count: 1 << 20)
        let batch = (0..<64).map { _ in OutgoingMessage(Message(body: body), to: "", routingKey: "nowhere") }
        let error = await #expect(throws: RabbitMQError.self) {
            try await connection.publish(batch, within: .seconds(1))
        }
        #expect(error?.code == .deadlineExceeded)
        let closing = await withTaskExecutorPreference(loop) {
            let start = ContinuousClock.now
            await connection.close(within: .milliseconds(500))
            return start.duration(to: .now)
        }
        #expect(closing < .seconds(2))
        #expect(longest.withLock { $0 } < .milliseconds(500))
    }

    private func configuration(through proxy: Proxy, heartbeat: Duration) throws -> RabbitMQConfiguration {
        var configuration = try RabbitMQConfiguration(url: "amqp://guest:guest@127.0.0.1:\(proxy.port)/")
        configuration.heartbeat = heartbeat
        return configuration
    }
}
