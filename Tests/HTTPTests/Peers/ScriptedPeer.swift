import Foundation

/// A server on a free port of loopback that answers the first request with the first step, and so on.
package final class ScriptedPeer: Sendable {
    /// One answer, or what happens instead of it.
    package struct Step: Encodable, Sendable {
        /// Where the connection is cut.
        package enum Cut: String, Encodable, Sendable {
            /// Before the request is read.
            case beforeRequest
            /// After the request is read, before any answer.
            case afterRequest
            /// In the middle of the body.
            case insideBody
        }

        package var status = 200
        package var headers: [String: String] = [:]
        package var body = ""
        /// Repeats the body, for large ones.
        package var times = 1
        /// Seconds before the answer.
        package var delay = 0.0
        package var cut: Cut?

        /// An answer, or what happens instead of it.
        package init(
            _ status: Int = 200,
            _ body: String = "",
            headers: [String: String] = [:],
            times: Int = 1,
            delay: Double = 0,
            cut: Cut? = nil
        ) {
            (self.status, self.body, self.headers, self.times) = (status, body, headers, times)
            (self.delay, self.cut) = (delay, cut)
        }
    }

    /// What arrived.
    package struct Received: Decodable, Sendable {
        package let method: String
        package let path: String
        /// By lower-case name.
        package let headers: [String: String]
        package let body: String
        /// Counts connections from 1.
        package let connection: Int
        /// The number of fields named `Host`.
        package let hosts: Int
    }

    private struct Script: Encodable {
        let steps: [Step]
        let tls: Bool
    }

    private struct Greeting: Decodable, Sendable {
        let port: Int
        let authority: String
    }

    /// `http://127.0.0.1:PORT`, or `https`.
    package let url: String
    /// The certificate of the authority that signed the server's, in PEM; empty without TLS.
    package let authority: [UInt8]
    private let process: Process
    private let input: FileHandle
    private let output: FileHandle

    /// Starts the server; it ends with the last reference.
    package init(_ steps: [Step], tls: Bool = false) async throws {
        let script = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "scripted.py")
        let line = try JSONEncoder().encode(Script(steps: steps, tls: tls)) + [UInt8(ascii: "\n")]
        let (process, input, output, greeting) = try await outsideThePool {
            let (process, input, output) = try Python.start(script)
            try input.fileHandleForWriting.write(contentsOf: line)
            let greeting = try JSONDecoder().decode(
                Greeting.self,
                from: Self.readLine(output.fileHandleForReading)
            )
            return (process, input.fileHandleForWriting, output.fileHandleForReading, greeting)
        }
        (self.process, self.input, self.output) = (process, input, output)
        self.url = "\(tls ? "https" : "http")://127.0.0.1:\(greeting.port)"
        self.authority = Array(greeting.authority.utf8)
    }

    deinit {
        try? self.input.close()
        self.process.terminate()
    }

    /// All requests so far, in the order of their arrival.
    package func received() async throws -> [Received] {
        try await outsideThePool {
            try self.input.write(contentsOf: Data("received\n".utf8))
            return try JSONDecoder().decode([Received].self, from: Self.readLine(self.output))
        }
    }

    private static func readLine(_ handle: FileHandle) throws -> Data {
        var line = Data()
        while let byte = try handle.read(upToCount: 1), !byte.isEmpty, byte[byte.startIndex] != 10 {
            line += byte
        }
        return line
    }
}
