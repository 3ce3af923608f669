import FoundationEssentials
import HTTP

/// How a command is run in a container, over a WebSocket: decisions only, no calls.
///
/// Each message is one byte that names a channel, and then what comes over it. How the command ended comes over the
/// channel of errors, and nowhere else; so does the server's word that it could not reach the kubelet.
/// Source: apimachinery, `remotecommand` constants; Kubernetes enhancement 4006.
struct ExecConversation: Conversation {
    private enum Channel {
        static let output: UInt8 = 1
        static let errors: UInt8 = 2
        static let status: UInt8 = 3
    }

    /// How it ended.
    private enum End {
        case refused(HTTPResponse)
        case violated(WebSocketReader.Violation)
        case status(Status)
    }

    private let operation: String
    private let limit: Int
    private var handshake: WebSocketHandshake
    private var reader: WebSocketReader
    /// Whether the server has agreed to run the command, which may have begun then.
    private(set) var isOpen = false
    private var output = CappedBytes()
    private var errors = CappedBytes()
    private var excess = 0
    private var end: End?
    private var quietTicks = 0

    init(_ request: APIRequest, to access: ClusterAccess, limit: Int) {
        self.operation = request.operation
        self.limit = limit
        self.handshake = WebSocketHandshake(
            request.http(to: access),
            protocols: ["v5.channel.k8s.io", "v4.channel.k8s.io"]
        )
        // Servers send at most 32 KiB at a time.
        self.reader = WebSocketReader(limit: 1 << 20)
    }

    func begin() -> [UInt8] { self.handshake.head }

    mutating func receive(_ bytes: [UInt8]) -> ConversationStep {
        self.quietTicks = 0
        do throws(WebSocketReader.Violation) {
            guard self.isOpen else { return try self.open(with: bytes) }
            self.reader.add(bytes)
            return try self.readOn()
        } catch {
            self.end = self.end ?? .violated(error)
            return .end(sending: [])
        }
    }

    /// A ping each time; a server that says nothing for a minute is gone.
    mutating func tick() -> ConversationStep {
        self.quietTicks += 1
        guard self.quietTicks <= 12 else { return .end(sending: []) }
        return .goOn(sending: self.isOpen ? WebSocketFrame(kind: .ping, payload: []).encoded() : [])
    }

    private mutating func open(with bytes: [UInt8]) throws(WebSocketReader.Violation) -> ConversationStep {
        switch try self.handshake.receive(bytes) {
        case .none: return .goOn(sending: [])
        case .refused(let response):
            self.end = .refused(response)
            return .end(sending: [])
        case .accepted(_, let rest):
            self.isOpen = true
            self.reader.add(rest)
            return try self.readOn()
        }
    }

    private mutating func readOn() throws(WebSocketReader.Violation) -> ConversationStep {
        var answers: [UInt8] = []
        while let arrival = try self.reader.next() {
            switch arrival {
            case .ping(let payload): answers += WebSocketFrame(kind: .pong, payload: payload).encoded()
            case .pong: break
            case .close: return .end(sending: answers + self.goodbye)
            case .message(let bytes): try self.take(bytes)
            }
            if self.end != nil || self.excess > 16 << 20 { return .end(sending: answers + self.goodbye) }
        }
        return .goOn(sending: answers)
    }

    private mutating func take(_ message: [UInt8]) throws(WebSocketReader.Violation) {
        let payload = message.dropFirst()
        switch message.first {
        case Channel.output: self.excess += self.output.add(payload, upTo: self.limit)
        case Channel.errors: self.excess += self.errors.add(payload, upTo: self.limit)
        case Channel.status where !payload.isEmpty:
            guard let status = try? JSONDecoder().decode(Status.self, from: Data(payload)) else {
                throw WebSocketReader.Violation(description: "the status of the command cannot be read")
            }
            self.end = .status(status)
        // An empty message at the start, and the ends of channels in the fifth version, say nothing.
        default: break
        }
    }

    /// A close with code 1000, "normal".
    private var goodbye: [UInt8] { WebSocketFrame(kind: .close, payload: [0x03, 0xE8]).encoded() }
}

extension ExecConversation {
    /// What came of it; throws if the command could not be started or watched.
    func result() throws(KubernetesError) -> ExecResult {
        switch self.end {
        case .refused(let response): throw KubernetesError(response, operation: self.operation)
        case .violated(let violation):
            throw KubernetesError(
                code: .unknownOutcome,
                operation: self.operation,
                message: violation.description
            )
        case .status(let status): return self.result(exitCode: try self.exitCode(status))
        case .none:
            guard self.isOpen else {
                throw KubernetesError(
                    code: .unknownOutcome,
                    operation: self.operation,
                    message: "the connection was lost before the server answered"
                )
            }
            return self.result(exitCode: nil)
        }
    }

    private func result(exitCode: Int?) -> ExecResult {
        ExecResult(
            standardOutput: self.output.bytes,
            standardError: self.errors.bytes,
            exitCode: exitCode,
            isTruncated: self.excess > 0
        )
    }

    private func exitCode(_ status: Status) throws(KubernetesError) -> Int {
        if status.status == "Success" { return 0 }
        let code = status.details?.causes?.first { $0.reason == "ExitCode" }?.message.flatMap { Int($0) }
        if status.reason == "NonZeroExitCode", let code { return code }
        throw KubernetesError(status, operation: self.operation)
    }
}

/// Bytes up to a limit.
private struct CappedBytes: Sendable {
    private(set) var bytes: [UInt8] = []

    /// Adds what there is room for; returns how many bytes were left out.
    mutating func add(_ more: ArraySlice<UInt8>, upTo limit: Int) -> Int {
        let kept = more.prefix(max(0, limit - self.bytes.count))
        self.bytes += kept
        return more.count - kept.count
    }
}
