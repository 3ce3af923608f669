import EventLoops
import Foundation
import HTTP
import Logging
import RabbitMQ

/// The real broker that the environment names.
enum Broker {
    /// What is wrong with the environment or the broker.
    struct Fault: Error {
        let message: String
    }

    static func url() throws -> String { try self.variable("GPUDEV_TEST_AMQP_URL") }

    static func configuration(heartbeat: Duration = .seconds(10)) throws -> RabbitMQConfiguration {
        var configuration = try RabbitMQConfiguration(url: try self.url())
        configuration.heartbeat = heartbeat
        configuration.connectionName = "test-\(UUID().uuidString)"
        return configuration
    }

    static func port() throws -> UInt16 {
        guard let port = URLComponents(string: try self.url())?.port, let port = UInt16(exactly: port) else {
            throw Fault(message: "GPUDEV_TEST_AMQP_URL has no port")
        }
        return port
    }

    static func connect(
        _ configuration: RabbitMQConfiguration? = nil,
        on loop: EventLoop = EventLoop(name: "test")
    ) async throws -> RabbitMQConnection {
        try await RabbitMQConnection.connect(
            try configuration ?? self.configuration(),
            on: loop,
            logger: Logger(label: "test")
        )
    }

    /// Closes the connection of that name through the management API, and waits until it was there to close.
    static func closeConnection(named name: String) async throws {
        try await eventually("the broker lists \(name)") {
            let listed = try await self.request(.get, "/api/connections") as? [[String: Any]] ?? []
            let found = listed.filter { connection in
                let properties = connection["client_properties"] as? [String: Any]
                return properties?["connection_name"] as? String == name
            }
            for case let id as String in found.map({ $0["name"] }) {
                let path = id.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? id
                _ = try await self.request(.delete, "/api/connections/\(path)")
            }
            return !found.isEmpty
        }
    }

    private static let http = HTTPClient()

    private static func request(_ method: HTTPMethod, _ path: String) async throws -> Any? {
        let api = try self.variable("GPUDEV_TEST_RABBITMQ_API")
        let login = Data("guest:guest".utf8).base64EncodedString()
        let request = HTTPRequest(method, api + path, headers: ["Authorization": "Basic \(login)"])
        let response = try await self.http.send(request, within: .seconds(30))
        return try? JSONSerialization.jsonObject(with: Data(response.body))
    }

    private static func variable(_ name: String) throws -> String {
        guard let value = ProcessInfo.processInfo.environment[name] else {
            throw Fault(message: "set \(name) to a running service, see the README")
        }
        return value
    }
}

/// Waits for a condition, asked again every few milliseconds, for at most `deadline`.
func eventually(
    _ what: String,
    within deadline: Duration = .seconds(60),
    _ condition: () async throws -> Bool
) async throws {
    let start = ContinuousClock.now
    while try await !condition() {
        guard start.duration(to: .now) < deadline else {
            throw Broker.Fault(message: "never came true: \(what)")
        }
        try await Task.sleep(for: .milliseconds(20))
    }
}
