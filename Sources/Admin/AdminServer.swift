import HTTPTypes
import Hummingbird
import HummingbirdCore
package import Logging
import NIOCore
import ServiceLifecycle
import Synchronization

/// The port for those who look after the worker: probes, metrics, version.
///
/// It listens before anything else is there and until all else has ended. It has a thread of its own, and asks nobody
/// that could keep it waiting. Connections are few and short: who says nothing for a while is sent away.
package struct AdminServer: Service {
    private let address: AdminAddress
    private let pages: AdminPages
    private let logger: Logger

    private static let mostConnections = 64
    private static let requestTimeout: TimeAmount = .seconds(15)

    package init(at address: AdminAddress, _ pages: AdminPages, logger: Logger) {
        self.address = address
        self.pages = pages
        self.logger = logger
    }

    /// Serves until the end is asked for; throws `AdminPortUnavailable` if it cannot listen.
    package func run() async throws {
        // The group outlives the server: connections may still have something to put away.
        NIOSingletons.groupLoopCountSuggestion = 1
        let hasListened = Atomic(false)
        var quiet = self.logger
        quiet.logLevel = max(.warning, quiet.logLevel)
        let application = Application(
            router: self.pages.router(),
            server: .http1(configuration: HTTP1Channel.Configuration(idleTimeout: Self.requestTimeout)),
            configuration: ApplicationConfiguration(
                address: .hostname(self.address.host, port: self.address.port),
                serverName: nil,
                availableConnectionsDelegate: MaximumAvailableConnections(Self.mostConnections)
            ),
            onServerRunning: { channel in
                hasListened.store(true, ordering: .relaxed)
                let port = channel.localAddress?.port ?? self.address.port
                self.logger.info("the admin port listens", metadata: ["http.port": "\(port)"])
            },
            eventLoopGroupProvider: .singleton,
            logger: quiet
        )
        do {
            try await application.run()
        } catch {
            guard !hasListened.load(ordering: .relaxed) else { throw error }
            throw AdminPortUnavailable(address: self.address, reason: "\(error)")
        }
    }
}

/// Where the port listens.
package struct AdminAddress: Sendable, CustomStringConvertible {
    package let host: String
    /// 0 for any that is free.
    package let port: Int

    package init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    package var description: String { "\(self.host):\(self.port)" }
}

/// The port could not be opened.
package struct AdminPortUnavailable: Error {
    package let address: AdminAddress
    package let reason: String
}
