import HTTP
import HTTPPeers
import Testing

@testable import Kubernetes

@Suite(.timeLimit(.minutes(5))) struct RetryTests {
    @Test func `a failure of the moment passes, one that lasts is thrown and is no absence`() async throws {
        let peer = try await KubernetesPeer()
        try await peer.call("add_pod", ["name": "p", "node": "n1"])
        let client = try await peer.client()
        let fault: JSONValue = ["pattern": "/pods/p", "status": 500, "reason": "InternalError", "times": 3]
        try await peer.call("fail", fault)
        #expect(try await client.pod("p", in: "gpu-dev", deadline: .soon) != nil)
        try await peer.call("fail", ["pattern": "/pods/p", "status": 500, "times": 99])
        let error = await #expect(throws: KubernetesError.self) {
            try await client.pod("p", in: "gpu-dev", deadline: .soon)
        }
        #expect(error?.code == .transient && error?.isRetryable == true && error?.status == 500)
        #expect(try await peer.count("/pods/p") == 8)
    }

    @Test func `a short pause that the server asks for is kept, a long one is left to the job`() async throws
    {
        let peer = try await KubernetesPeer()
        let client = try await peer.client()
        for (status, reason) in [(429, "TooManyRequests"), (503, "ServiceUnavailable")]
            as [(JSONValue, JSONValue)]
        {
            try await peer.call(
                "fail",
                ["pattern": "/nodes", "status": status, "reason": reason, "headers": ["Retry-After": "1"]]
            )
            _ = try await client.nodes(deadline: .soon)
            try await peer.call(
                "fail",
                ["pattern": "/nodes", "status": status, "reason": reason, "headers": ["Retry-After": "60"]]
            )
            let error = await #expect(throws: KubernetesError.self) {
                try await client.nodes(deadline: .soon)
            }
            #expect(error?.retryAfter == .seconds(60) && error?.isRetryable == true)
        }
        #expect(try await peer.count("/nodes") == 6)
    }

    @Test func `a refusal is thrown at once, and left to another try of the job`() async throws {
        let peer = try await KubernetesPeer()
        let client = try await peer.client()
        try await peer.call("fail", ["pattern": "/nodes", "status": 403, "reason": "Forbidden"])
        let error = await #expect(throws: KubernetesError.self) { try await client.nodes(deadline: .soon) }
        #expect(error?.code == .accessDenied && error?.isRetryable == true && error?.reason == "Forbidden")
        #expect(try await peer.count("/nodes") == 1)
    }

    @Test func `a text in place of a status is too many requests all the same`() async throws {
        let peer = try await KubernetesPeer()
        let client = try await peer.client()
        try await peer.call("overload", ["pattern": "/nodes"])
        _ = try await client.nodes(deadline: .soon)
        #expect(try await peer.count("/nodes") == 2)
    }

    @Test(arguments: ["1000000000", "9300000000000000", "99999999999999999999999"])
    func `a pause that nobody would wait for is cut`(text: String) {
        let error = KubernetesError(
            HTTPResponse(status: 429, headers: ["Retry-After": text], body: []),
            operation: "nodes.list"
        )
        #expect(error.retryAfter == .seconds(900))
    }

    @Test func `a pause in the body is cut too`() {
        let body =
            #"{"kind":"Status","reason":"ServerTimeout","#
            + #""details":{"retryAfterSeconds":9300000000000000}}"#
        let error = KubernetesError(
            HTTPResponse(status: 500, headers: [:], body: Array(body.utf8)),
            operation: "nodes.list"
        )
        #expect(error.code == .transient && error.retryAfter == .seconds(900))
    }

    @Test func `nothing is sent after the deadline`() async throws {
        let peer = try await KubernetesPeer()
        let client = try await peer.client()
        _ = try await client.nodes(deadline: .soon)
        let error = await #expect(throws: KubernetesError.self) { try await client.nodes(deadline: .now) }
        #expect(error?.code == .deadlineExceeded)
        #expect(try await peer.count("/nodes") == 1)
    }
}
