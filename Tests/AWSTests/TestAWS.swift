import AWS
import Foundation
import HTTP
import HTTPPeers
import Logging
import Synchronization

/// The AWS server of the tests, and boto3 to look at it from the other side.
enum TestAWS {
    struct Missing: Error, CustomStringConvertible {
        let description = "GPUDEV_TEST_AWS_ENDPOINT is not set: these tests need moto's server"
    }

    static let http = HTTPClient()

    static func endpoint() throws -> String {
        guard let url = ProcessInfo.processInfo.environment["GPUDEV_TEST_AWS_ENDPOINT"] else {
            throw Missing()
        }
        return url
    }

    static func client() throws -> AWSClient {
        let environment = [
            "AWS_REGION": "eu-west-1", "AWS_ENDPOINT_URL": try self.endpoint(),
            "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
        ]
        return AWSClient(
            configuration: try AWSConfiguration { environment[$0] },
            http: self.http,
            logger: Logger(label: "test")
        )
    }

    /// What boto3 gets from the same server, as JSON.
    static func boto(
        _ service: String,
        _ operation: String,
        _ parameters: [String: JSONValue]
    ) async throws -> JSONValue {
        let order: [String: JSONValue] = [
            "service": .string(service), "operation": .string(operation), "parameters": .object(parameters),
            "endpoint": .string(try self.endpoint()),
        ]
        return try await outsideThePool {
            try Boto.shared.withLock { shared in
                let boto = try shared ?? Boto()
                // A call that fails leaves no process behind that others would wait for.
                shared = nil
                let answer = try boto.call(order)
                shared = boto
                return answer
            }
        }
    }

    /// A script in `Peers`.
    static func peer(_ name: String) -> URL {
        URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Peers/\(name)")
    }

    static func uniqueName() -> String { UUID().uuidString.lowercased() }
}
