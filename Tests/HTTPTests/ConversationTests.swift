import HTTP
import HTTPPeers
import Testing

@Suite(.timeLimit(.minutes(5))) struct ConversationTests {
    /// Asks for a page in plain HTTP, and is content when so much of the answer is there.
    private struct Question: Conversation {
        let enough: Int
        var answer: [UInt8] = []

        func begin() -> [UInt8] { Array("GET /page HTTP/1.1\r\nHost: h\r\n\r\n".utf8) }

        mutating func receive(_ bytes: [UInt8]) -> ConversationStep {
            self.answer += bytes
            return self.answer.count < self.enough ? .goOn(sending: []) : .end(sending: [])
        }

        func tick() -> ConversationStep { .goOn(sending: []) }
    }

    private let client = HTTPClient()

    private func request(_ peer: ScriptedPeer) -> HTTPRequest {
        var request = HTTPRequest(.get, peer.url + "/")
        request.tls = TLSOptions()
        if !peer.authority.isEmpty { request.tls?.authorities = .pem(peer.authority) }
        return request
    }

    @Test(arguments: [false, true])
    func `what is said arrives, and what comes back is all of it`(isSecret: Bool) async throws {
        let peer = try await ScriptedPeer([.init(200, "0123456789", times: 300_000)], tls: isSecret)
        let question = Question(enough: 3_000_000)
        let ended = try await self.client.converse(question, with: self.request(peer), within: .seconds(20))
        #expect(ended.answer.starts(with: Array("HTTP/1.1 200".utf8)))
        #expect(ended.answer.suffix(10) == Array("0123456789".utf8)[...])
        #expect(try await peer.received().map(\.path) == ["/page"])
    }

    @Test func `an end by the other side is an end`() async throws {
        let peer = try await ScriptedPeer([.init(200, "half", cut: .insideBody)], tls: true)
        let question = Question(enough: 3_000_000)
        let ended = try await self.client.converse(question, with: self.request(peer), within: .seconds(20))
        #expect(ended.answer.suffix(4) == Array("half".utf8)[...])
    }

    @Test func `time ends it, and so does cancellation`() async throws {
        let peer = try await ScriptedPeer([.init(200, delay: 60), .init(200, delay: 60)])
        let request = self.request(peer)
        let error = await #expect(throws: HTTPError.self) {
            try await self.client.converse(Question(enough: 9), with: request, within: .seconds(3))
        }
        #expect(error?.code == .timedOut && error?.requestWasSent == true)
        let task = Task {
            try await self.client.converse(Question(enough: 9), with: request, within: .seconds(50))
        }
        while try await peer.received().count < 2 { try await Task.sleep(for: .milliseconds(20)) }
        task.cancel()
        let cancelled = await #expect(throws: HTTPError.self) { try await task.value }
        #expect(cancelled?.code == .cancelled)
    }

    @Test func `a server that is not there, or not to be trusted, hears nothing`() async throws {
        var request = HTTPRequest(.get, "http://127.0.0.1:1/")
        let absent = await #expect(throws: HTTPError.self) {
            try await self.client.converse(Question(enough: 9), with: request, within: .seconds(5))
        }
        #expect(absent?.code == .connectionFailed && absent?.requestWasSent == false)
        let peer = try await ScriptedPeer([.init()], tls: true)
        request = HTTPRequest(.get, peer.url + "/")
        let stranger = await #expect(throws: HTTPError.self) {
            try await self.client.converse(Question(enough: 9), with: request, within: .seconds(5))
        }
        #expect(stranger?.code == .tlsFailed && stranger?.requestWasSent == false)
        #expect(try await peer.received().isEmpty)
    }
}
