import HTTP
import HTTPPeers
import Testing

@Suite(.timeLimit(.minutes(5))) struct HTTPClientTests {
    private let client = HTTPClient()

    private func failure(
        _ request: HTTPRequest,
        within limit: Duration = .seconds(10),
        client: HTTPClient? = nil
    ) async throws -> HTTPError {
        try #require(
            await #expect(throws: HTTPError.self) {
                try await (client ?? self.client).send(request, within: limit)
            }
        )
    }

    @Test func `a request arrives as it was written, and the answer comes back whole`() async throws {
        let peer = try await ScriptedPeer([.init(201, "grüße", headers: ["X-Some": "  a: b  "])])
        let response = try await self.client.send(
            HTTPRequest(
                .post,
                "\(peer.url)/a%20b/../c//?q=%2F&r",
                headers: ["X-Empty": "", "X-Mark": "1; 2"],
                body: Array("body\u{0}\n".utf8)
            ),
            within: .seconds(5)
        )
        #expect(response.status == 201)
        #expect(response.headers["x-SOME"] == "a: b")
        #expect(String(decoding: response.body, as: UTF8.self) == "grüße")
        let seen = try #require(try await peer.received().first)
        #expect(seen.method == "POST" && seen.path == "/a%20b/../c//?q=%2F&r" && seen.body == "body\u{0}\n")
        #expect(seen.headers["x-mark"] == "1; 2" && seen.headers["x-empty"] == "")
        #expect(seen.headers["user-agent"] == "gpudev-worker" && seen.headers["content-type"] == nil)
    }

    @Test(arguments: [HTTPMethod.get, .head, .post, .put, .patch, .delete])
    func `every method arrives under its name`(method: HTTPMethod) async throws {
        let peer = try await ScriptedPeer([.init(200, "x"), .init(204)])
        let first = try await self.client.send(HTTPRequest(method, peer.url + "/"), within: .seconds(5))
        #expect(first.body == (method == .head ? [] : Array("x".utf8)))
        _ = try await self.client.send(HTTPRequest(method, peer.url + "/"), within: .seconds(5))
        #expect(try await peer.received().map(\.method) == [method.rawValue, method.rawValue])
    }

    @Test func `a connection is used again, but not for what may not be repeated`() async throws {
        let peer = try await ScriptedPeer([.init(), .init(), .init()])
        var request = HTTPRequest(.get, peer.url + "/")
        for _ in 1...2 { _ = try await self.client.send(request, within: .seconds(5)) }
        request.mayBeRepeated = false
        _ = try await self.client.send(request, within: .seconds(5))
        #expect(try await peer.received().map(\.connection) == [1, 1, 2])
    }

    @Test func `a redirect is an answer like any other`() async throws {
        let peer = try await ScriptedPeer([.init(302, headers: ["Location": "/elsewhere"])])
        let response = try await self.client.send(HTTPRequest(.get, peer.url + "/"), within: .seconds(5))
        #expect(response.status == 302 && response.headers["location"] == "/elsewhere")
    }

    @Test func `many requests at once all come back`() async throws {
        let peer = try await ScriptedPeer(Array(repeating: .init(200, "ok"), count: 200))
        try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 1...200 {
                group.addTask {
                    try await self.client.send(HTTPRequest(.get, peer.url + "/"), within: .seconds(20)).status
                }
            }
            for try await status in group { #expect(status == 200) }
        }
        #expect(try Set(await peer.received().map(\.connection)).count <= 64)
    }

    @Test func `a refused connection was not sent`() async throws {
        let error = try await self.failure(HTTPRequest(.post, "http://127.0.0.1:1/"))
        #expect(error.code == .connectionFailed && !error.requestWasSent && error.isRetryable)
        #expect(error.operation == "POST 127.0.0.1:1")
    }

    @Test func `a name that nobody has is not resolved`() async throws {
        let error = try await self.failure(HTTPRequest(.get, "http://no-such-host.invalid/"))
        #expect(error.code == .resolveFailed && !error.requestWasSent)
    }

    @Test(arguments: ["", "nonsense", "ftp://127.0.0.1/", "http://", "http://[::1"])
    func `a bad URL is no request`(url: String) async throws {
        let error = try await self.failure(HTTPRequest(.get, url))
        #expect(error.code == .invalidURL && !error.requestWasSent && !error.isRetryable)
    }

    @Test func `a header cannot bring another with it`() async throws {
        let error = try await self.failure(
            HTTPRequest(.get, "http://127.0.0.1:1/", headers: ["X-A": "b\r\nX-Evil: c"])
        )
        #expect(error.code == .other && !error.requestWasSent)
    }

    @Test(arguments: [ScriptedPeer.Step.Cut.afterRequest, .insideBody])
    func `a connection that is cut was sent and is lost`(cut: ScriptedPeer.Step.Cut) async throws {
        let peer = try await ScriptedPeer([.init(200, "half", cut: cut)])
        let error = try await self.failure(HTTPRequest(.post, peer.url + "/", body: [1]))
        #expect(error.code == .connectionLost && error.requestWasSent)
    }

    @Test func `an answer that is too large is refused`() async throws {
        let peer = try await ScriptedPeer([
            .init(200, "0123456789", times: 2000), .init(200, "0123456789", times: 2000),
        ])
        var request = HTTPRequest(.get, peer.url + "/")
        request.maximumResponseBytes = 19_999
        #expect(try await self.failure(request).code == .tooLarge)
        request.maximumResponseBytes = 20_000
        #expect(try await self.client.send(request, within: .seconds(5)).body.count == 20_000)
    }

    @Test func `the first byte, an answer that stops and the whole have their limits`() async throws {
        let peer = try await ScriptedPeer([.init(200, delay: 30), .init(200, delay: 30)])
        var request = HTTPRequest(.post, peer.url + "/", firstByteTimeout: .seconds(2))
        let late = try await self.failure(request)
        #expect(late.code == .timedOut && late.requestWasSent)
        request.firstByteTimeout = .seconds(20)
        let clock = ContinuousClock.now
        let over = try await self.failure(request, within: .milliseconds(100))
        #expect(over.code == .timedOut && clock.duration(to: .now) < .seconds(5))
        #expect(try await self.failure(request, within: .zero).requestWasSent == false)
    }

    @Test func `cancelling the task ends its transfer and no other`() async throws {
        let peer = try await ScriptedPeer([.init(200, delay: 30), .init(200, "still here")])
        let task = Task {
            try await self.client.send(HTTPRequest(.get, peer.url + "/"), within: .seconds(40))
        }
        while try await peer.received().isEmpty { await Task.yield() }
        task.cancel()
        let error = await #expect(throws: HTTPError.self) { try await task.value }
        #expect(error?.code == .cancelled)
        let other = try await self.client.send(HTTPRequest(.get, peer.url + "/"), within: .seconds(5))
        #expect(other.body == Array("still here".utf8))
    }

    @Test func `after the shutdown every request is cancelled`() async throws {
        let peer = try await ScriptedPeer([.init(200, delay: 30)])
        let client = HTTPClient()
        let task = Task { try await client.send(HTTPRequest(.get, peer.url + "/"), within: .seconds(40)) }
        while try await peer.received().isEmpty { await Task.yield() }
        client.shutdown()
        #expect(await #expect(throws: HTTPError.self) { try await task.value }?.code == .cancelled)
        #expect(try await self.failure(HTTPRequest(.get, peer.url + "/"), client: client).code == .cancelled)
    }

    @Test func `a server is trusted only with the right authority and name`() async throws {
        let peer = try await ScriptedPeer(Array(repeating: .init(200, "secret"), count: 3), tls: true)
        let untrusted = try await self.failure(HTTPRequest(.get, peer.url + "/"))
        #expect(untrusted.code == .tlsFailed && !untrusted.requestWasSent)
        var configuration = HTTPClientConfiguration()
        configuration.tls.authorities = .pem(peer.authority)
        let trusting = HTTPClient(configuration)
        #expect(try await trusting.send(HTTPRequest(.get, peer.url + "/"), within: .seconds(5)).status == 200)
        let otherName = peer.url.replacing("127.0.0.1", with: "localhost")
        #expect(
            try await self.failure(HTTPRequest(.get, otherName + "/"), client: trusting).code == .tlsFailed
        )
    }
}
