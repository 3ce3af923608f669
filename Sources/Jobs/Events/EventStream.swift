package import RabbitMQ

/// The stream that keeps completion events, read without taking anything away.
package struct EventStream: Sendable {
    /// Where to begin.
    package enum Start: Sendable {
        case next, first
        /// An age in RabbitMQ's words, such as `1h` or `7D`.
        case last(String)
    }

    private let topology: Topology
    private let connection: RabbitMQConnection

    /// The deadline came before `body` had enough.
    package struct TimeIsUp: Error {}

    private static let prefetch: UInt16 = 100

    package init(_ topology: Topology, on connection: RabbitMQConnection) {
        self.topology = topology
        self.connection = connection
    }

    /// Hands over the events from `start` on, one after the other, until `body` says that it is enough.
    ///
    /// - Parameters:
    ///   - deadline: When to give up; nil for never.
    ///   - onStart: Called once reading has begun: whatever is published from then on will be seen.
    ///   - body: Whether to go on.
    /// - Throws: `RabbitMQError` when the connection is lost, `TimeIsUp` at the deadline.
    package func follow(
        from start: Start,
        until deadline: ContinuousClock.Instant? = nil,
        onStart: () async throws -> Void = {},
        _ body: (Message) async throws -> Bool,
    ) async throws {
        let (deliveries, feed) = AsyncThrowingStream<Delivery, any Error>.makeStream()
        _ = try await self.connection.startConsuming(
            self.topology.eventsLog,
            prefetch: Self.prefetch,
            arguments: ["x-stream-offset": start.offset]
        ) { feed.yield($0) }
        try await onStart()
        try await withThrowingTaskGroup { group in
            group.addTask { feed.finish(throwing: await self.connection.waitUntilClosed()) }
            if let deadline {
                group.addTask {
                    try await Task.sleep(until: deadline, clock: .continuous)
                    feed.finish(throwing: TimeIsUp())
                }
            }
            for try await delivery in deliveries {
                let goesOn = try await body(delivery.message)
                self.connection.acknowledge(delivery.tag)
                if !goesOn { break }
            }
            group.cancelAll()
        }
    }
}

extension EventStream.Start {
    /// RabbitMQ's documentation of streams, "Consuming".
    fileprivate var offset: FieldValue {
        switch self {
        case .next: "next"
        case .first: "first"
        case .last(let age): .string(age)
        }
    }
}
