import HTTP
import Testing

@testable import Kubernetes

@Suite struct WebSocketTests {
    /// RFC 6455, section 5.7, the frames of a server.
    @Test func `the frames of the standard are read`() throws {
        var reader = WebSocketReader(limit: 1 << 20)
        reader.add([0x81, 0x05, 0x48, 0x65, 0x6C, 0x6C, 0x6F])
        #expect(try reader.next() == .message(Array("Hello".utf8)))
        reader.add([0x01, 0x03, 0x48, 0x65, 0x6C, 0x89, 0x05, 0x48, 0x65, 0x6C, 0x6C, 0x6F, 0x80, 0x02, 0x6C])
        #expect(try reader.next() == .ping(Array("Hello".utf8)))
        #expect(try reader.next() == nil)
        reader.add([0x6F])
        #expect(try reader.next() == .message(Array("Hello".utf8)))
        reader.add([0x82, 0x7E, 0x01, 0x00] + [UInt8](repeating: 7, count: 256))
        #expect(try reader.next() == .message([UInt8](repeating: 7, count: 256)))
        reader.add([0x82, 0x7F, 0, 0, 0, 0, 0, 1, 0, 0] + [UInt8](repeating: 8, count: 65_536))
        #expect(try reader.next() == .message([UInt8](repeating: 8, count: 65_536)))
        reader.add([0x88, 0x02, 0x03, 0xE8])
        #expect(try reader.next() == .close(1000))
    }

    /// The same section, the frame of a client.
    @Test func `our own frames are masked`() {
        let frame = WebSocketFrame(kind: .text, payload: Array("Hello".utf8))
        let expected: [UInt8] = [0x81, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58]
        #expect(frame.encoded(mask: [0x37, 0xFA, 0x21, 0x3D]) == expected)
    }

    @Test(
        arguments: [
            [0xC1, 0x00], [0x83, 0x00], [0x81, 0x80, 0, 0, 0, 0], [0x09, 0x00], [0x89, 0x7E, 0, 126],
            [0x80, 0x00], [0x01, 0x00, 0x01, 0x00], [0x82, 0x7F, 0x80, 0, 0, 0, 0, 0, 0, 0],
            [0x82, 0x7F, 0, 0, 0, 0, 0, 0x10, 0, 1], [0x88, 0x01, 0x03],
        ] as [[UInt8]]
    )
    func `a frame that breaks the rules is refused`(bytes: [UInt8]) {
        var reader = WebSocketReader(limit: 1 << 20)
        reader.add(bytes)
        #expect(throws: WebSocketReader.Violation.self) {
            while try reader.next() != nil {}
        }
    }

    private func handshake() -> WebSocketHandshake {
        WebSocketHandshake(
            HTTPRequest(.get, "https://api:6443/exec?a=b", headers: ["Authorization": "Bearer t"]),
            protocols: ["v5.channel.k8s.io", "v4.channel.k8s.io"],
            nonce: Array("the sample nonce".utf8)
        )
    }

    /// The key and the answer to it are those of RFC 6455, section 1.3.
    @Test func `the answer to the key of the standard is accepted, and what follows is the first frame`()
        throws
    {
        var handshake = self.handshake()
        let head = String(decoding: handshake.head, as: UTF8.self)
        #expect(head.hasPrefix("GET /exec?a=b HTTP/1.1\r\nHost: api:6443\r\n"))
        #expect(head.contains("\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"))
        let answer = """
            HTTP/1.1 101 Switching Protocols\r\nupgrade: WebSocket\r\nConnection: Upgrade\r\n\
            Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: v4.channel.k8s.io\r\n\r\n
            """
        for byte in answer.utf8.dropLast() {
            let early = try handshake.receive([byte])
            #expect(early.map { _ in true } == nil)
        }
        guard case .accepted(let chosen, let rest) = try handshake.receive([10, 0x82, 0x00]) else {
            Issue.record("the handshake was not accepted")
            return
        }
        #expect(chosen == "v4.channel.k8s.io" && rest == [0x82, 0x00])
    }

    @Test(
        arguments: [
            "Sec-WebSocket-Accept: AAAA\r\nSec-WebSocket-Protocol: v4.channel.k8s.io",
            "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
            "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: channel.k8s.io",
        ]
    )
    func `a server that has not understood is refused`(fields: String) {
        var handshake = self.handshake()
        let head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        #expect(throws: WebSocketReader.Violation.self) {
            try handshake.receive(Array("\(head)\(fields)\r\n\r\n".utf8))
        }
    }

    @Test(
        arguments: [
            "Content-Length: 4\r\n\r\nnope",
            "Transfer-Encoding: chunked\r\n\r\n3\r\nnop\r\n1\r\ne\r\n0\r\n\r\n",
        ]
    )
    func `a refusal is read with its body`(rest: String) throws {
        var handshake = self.handshake()
        guard
            case .refused(let response) = try handshake.receive(
                Array("HTTP/1.1 403 Forbidden\r\n\(rest)".utf8)
            )
        else {
            Issue.record("the refusal was not read")
            return
        }
        #expect(response.status == 403 && response.body == Array("nope".utf8))
    }
}
