import Crypto
import FoundationEssentials
import HTTP

/// How a connection becomes a WebSocket, from the client's side. (RFC 6455, section 4.1.)
struct WebSocketHandshake: Sendable {
    /// What the server made of it.
    enum Outcome: Sendable {
        /// It speaks this protocol; the bytes are the first of a frame.
        case accepted(protocol: String, rest: [UInt8])
        case refused(HTTPResponse)
    }

    private let request: HTTPRequest
    private let protocols: [String]
    private let key: String
    private var received: [UInt8] = []

    /// - Parameters:
    ///   - request: URL and headers.
    ///   - protocols: What we could speak, the best first.
    ///   - nonce: Sixteen bytes by which the server shows that it has understood.
    init(
        _ request: HTTPRequest,
        protocols: [String],
        nonce: [UInt8] = (0..<16).map { _ in UInt8.random(in: 0...255) }
    ) {
        self.request = request
        self.protocols = protocols
        self.key = Data(nonce).base64EncodedString()
    }

    /// The request as it is sent.
    var head: [UInt8] {
        let afterScheme = self.request.url.drop { $0 != ":" }.dropFirst(3)
        let authority = afterScheme.prefix { $0 != "/" }
        var lines = [
            "GET \(afterScheme[authority.endIndex...]) HTTP/1.1", "Host: \(authority)",
            "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: \(self.key)",
            "Sec-WebSocket-Protocol: \(self.protocols.joined(separator: ", "))",
        ]
        lines += self.request.headers.map { "\($0.name): \($0.value)" }
        return Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8)
    }

    /// Takes what has arrived; nil as long as the answer is not complete.
    mutating func receive(_ bytes: [UInt8]) throws(WebSocketReader.Violation) -> Outcome? {
        self.received += bytes
        guard let answer = try AnswerHead(self.received) else {
            guard self.received.count <= 16 << 10 else {
                throw WebSocketReader.Violation(description: "the head of the answer is too long")
            }
            return nil
        }
        let rest = Array(self.received[answer.count...])
        guard answer.status == 101 else {
            guard let body = answer.body(in: rest) else { return nil }
            return .refused(HTTPResponse(status: answer.status, headers: answer.headers, body: body))
        }
        return .accepted(protocol: try self.check(answer.headers), rest: rest)
    }

    private func check(_ headers: HTTPHeaders) throws(WebSocketReader.Violation) -> String {
        guard headers["Upgrade"]?.lowercased() == "websocket",
            headers["Connection"]?.lowercased().contains("upgrade") == true,
            headers["Sec-WebSocket-Accept"] == self.expectedAccept,
            headers["Sec-WebSocket-Extensions"] == nil
        else { throw WebSocketReader.Violation(description: "the server has not understood the handshake") }
        guard let chosen = headers["Sec-WebSocket-Protocol"], self.protocols.contains(chosen) else {
            throw WebSocketReader.Violation(description: "the server speaks none of the protocols")
        }
        return chosen
    }

    private var expectedAccept: String {
        let digest = Insecure.SHA1.hash(data: Data((self.key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").utf8))
        return Data(digest).base64EncodedString()
    }
}
