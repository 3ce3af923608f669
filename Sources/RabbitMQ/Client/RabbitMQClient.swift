import Calls
package import EventLoops
package import Logging

/// Keeps a connection to the broker: when one is lost it opens the next, for ever.
package actor RabbitMQClient {
    /// The loop that serves the connections.
    package nonisolated let loop: EventLoop
    /// The same loop.
    package nonisolated var unownedExecutor: UnownedSerialExecutor { self.loop.asUnownedSerialExecutor() }
    private let configuration: RabbitMQConfiguration
    private let logger: Logger
    /// Short, so that work goes on within seconds of a broker's return.
    private var backoff = BackoffState(Backoff(base: .milliseconds(250), cap: .seconds(5)))

    /// A client that is not connected until `run`.
    package init(_ configuration: RabbitMQConfiguration, on loop: EventLoop, logger: Logger) {
        self.configuration = configuration
        self.loop = loop
        self.logger = logger
    }

    /// Connects and calls `use`, again and again, until the task is cancelled or `use` returns from a connection
    /// that still stands.
    ///
    /// `use` is not cancelled when its connection is lost, since what it has begun may be worth finishing: it
    /// should await `waitUntilClosed()`. A connection that `use` leaves, returning or throwing, is closed.
    package func run(_ use: @escaping @Sendable (RabbitMQConnection) async throws -> Void) async {
        while !Task.isCancelled {
            let start = ContinuousClock.now
            do {
                let connection = try await RabbitMQConnection.connect(
                    self.configuration,
                    on: self.loop,
                    logger: self.logger
                )
                self.logger.debug("connected", metadata: ["rabbitmq.epoch": "\(connection.epoch)"])
                if try await self.lend(connection, to: use) { return }
            } catch {
                self.logger.warning(
                    "no connection to the broker",
                    metadata: [
                        "rabbitmq.connection": "\(self.configuration.connectionName)", "error": "\(error)",
                    ]
                )
            }
            if start.duration(to: .now) > .seconds(10) { self.backoff.reset() }
            try? await self.loop.sleep(for: self.backoff.next())
        }
    }

    /// Whether `use` returned from a connection that still stood.
    private func lend(
        _ connection: RabbitMQConnection,
        to use: @Sendable (RabbitMQConnection) async throws -> Void
    ) async throws -> Bool {
        let result: Result<Void, any Error>
        do {
            result = .success(try await use(connection))
        } catch {
            result = .failure(error)
        }
        let stood = await !connection.isClosed
        await connection.close()
        try result.get()
        if !stood, let reason = await connection.waitUntilClosed() { throw reason }
        return stood
    }
}
