import Calls
import Foundation
import HTTP
import HTTPPeers
import Logging
import Synchronization

@testable import Kubernetes

/// The API server of the tests from outside, in a process of its own.
final class KubernetesPeer: Sendable {
    private struct Greeting: Decodable {
        let url: String
        let token: String
        let authority: String
    }

    let url: String
    let token: String
    let authority: String
    private let turn = Mutex(())
    private let process: Process
    private let input: FileHandle
    private let output: FileHandle
    private let http = HTTPClient()

    /// Starts it; it ends with the last reference.
    init() async throws {
        let script = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "harness/kubernetes/server.py")
        let (process, input, output, greeting) = try await outsideThePool {
            let (process, input, output) = try Python.start(script)
            let line = try Self.readLine(output.fileHandleForReading)
            let greeting = try JSONDecoder().decode(Greeting.self, from: line)
            return (process, input.fileHandleForWriting, output.fileHandleForReading, greeting)
        }
        (self.process, self.input, self.output) = (process, input, output)
        (self.url, self.token, self.authority) = (greeting.url, greeting.token, greeting.authority)
    }

    deinit {
        try? self.input.close()
        self.process.terminate()
    }

    /// Calls a method of the server by name and returns what it returns.
    @discardableResult
    func call(_ method: String, _ arguments: JSONValue = [:]) async throws -> JSONValue {
        let order = try JSONEncoder().encode(JSONValue.array([.string(method), arguments]))
        return try await outsideThePool {
            // Another task may be asking at the same time.
            try self.turn.withLock { _ in
                try self.input.write(contentsOf: order + [UInt8(ascii: "\n")])
                return try JSONDecoder().decode(JSONValue.self, from: Self.readLine(self.output))
            }
        }
    }

    func get(_ attribute: String) async throws -> JSONValue {
        try await self.call("get", ["name": .string(attribute)])
    }

    /// How many requests of this method have come whose path and query match.
    func count(_ pattern: String, _ method: String = "GET") async throws -> Double {
        try await self.call("count", ["pattern": .string(pattern), "method": .string(method)]).number ?? -1
    }

    /// A client that reads this kubeconfig, by default the server's own.
    func client(_ kubeconfig: String? = nil) async throws -> KubernetesClient {
        var path = kubeconfig
        if path == nil { path = try await self.call("kubeconfig").text }
        return self.client(with: try KubeconfigAccess(files: path ?? ""))
    }

    /// A client that does not wait long between attempts.
    func client(with access: any AccessProvider) -> KubernetesClient {
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        var client = KubernetesClient(access: access, namespace: "gpu-dev", http: self.http, logger: logger)
        client.retries.sleep = { try await Task.sleep(for: min($0, .milliseconds(20))) }
        return client
    }

    private static func readLine(_ handle: FileHandle) throws -> Data {
        var line = Data()
        while let byte = try handle.read(upToCount: 1), !byte.isEmpty, byte[byte.startIndex] != 10 {
            line += byte
        }
        return line
    }
}

extension ContinuousClock.Instant {
    /// The deadline of calls that should not need it.
    static var soon: ContinuousClock.Instant { .now.advanced(by: .seconds(20)) }
}
