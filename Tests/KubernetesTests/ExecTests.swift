import Foundation
import HTTP
import HTTPPeers
import Testing

@testable import Kubernetes

@Suite(.timeLimit(.minutes(5))) struct ExecTests {
    private func run(
        _ steps: JSONValue,
        on peer: KubernetesPeer,
        within limit: Duration = .seconds(20),
        keeping bytes: Int = 1 << 20
    ) async throws -> ExecResult {
        try await peer.call("add_pod", ["name": "p", "node": "n1"])
        try await peer.call("on_exec", ["steps": steps])
        let client = try await peer.client()
        let pod = try #require(try await client.pod("p", in: "gpu-dev", deadline: .soon))
        return try await client.execute(
            ["sh", "-c", "du -sh '/home/dev'; echo \"a&b\""],
            in: pod,
            container: "gpu-dev",
            deadline: .now.advanced(by: limit),
            limit: bytes
        )
    }

    @Test func `what a command prints and how it ends comes back`() async throws {
        let peer = try await KubernetesPeer()
        let steps: JSONValue = [
            ["stdout", "1.2G\t"], ["stderr", "du: cannot read"], ["stdout", "/home/dev\n"], ["exit", 0],
        ]
        let result = try await self.run(steps, on: peer)
        #expect(String(decoding: result.standardOutput, as: UTF8.self) == "1.2G\t/home/dev\n")
        #expect(String(decoding: result.standardError, as: UTF8.self) == "du: cannot read")
        #expect(result.exitCode == 0 && !result.isTruncated)
        let executed = try #require(try await peer.get("executed")[0])
        #expect(executed["command"] == ["sh", "-c", "du -sh '/home/dev'; echo \"a&b\""])
        #expect(executed["container"] == "gpu-dev" && executed["protocol"] == "v5.channel.k8s.io")
    }

    @Test func `another exit code is a result, not a failure`() async throws {
        let result = try await self.run([["stdout", "half"], ["exit", 1]], on: try await KubernetesPeer())
        #expect(result.exitCode == 1 && String(decoding: result.standardOutput, as: UTF8.self) == "half")
    }

    @Test(arguments: ["close", "cut"] as [JSONValue])
    func `an end without a status leaves the outcome open`(end: JSONValue) async throws {
        let result = try await self.run([["stdout", "half"], .array([end])], on: try await KubernetesPeer())
        #expect(result.exitCode == nil && String(decoding: result.standardOutput, as: UTF8.self) == "half")
    }

    @Test func `a failure of the machinery is thrown`() async throws {
        let peer = try await KubernetesPeer()
        let error = await #expect(throws: KubernetesError.self) {
            try await self.run([["failure", "InternalError", "runtime is gone"]], on: peer)
        }
        #expect(error?.message == "runtime is gone" && error?.reason == "InternalError")
        #expect(try await peer.count("/exec") == 1)
    }

    @Test func `a kubelet that cannot be reached is a failure of the moment, told without the command`()
        async throws
    {
        let peer = try await KubernetesPeer()
        let error = await #expect(throws: KubernetesError.self) {
            try await self.run([["unreachable"]], on: peer)
        }
        #expect(error?.code == .transient && error?.isRetryable == true && error?.reason == "InternalError")
        let message = try #require(error?.message)
        #expect(message.contains("connection refused") && !message.contains("command="))
        #expect(try await peer.count("/exec") == 1)
    }

    @Test func `forty megabytes are cut at the limit`() async throws {
        let peer = try await KubernetesPeer()
        let steps: JSONValue = [["repeat", "0123456789abcdef", 2_621_440], ["exit", 0]]
        let result = try await self.run(steps, on: peer)
        #expect(result.standardOutput.count == 1 << 20 && result.isTruncated)
        #expect(result.standardOutput.suffix(16) == Array("0123456789abcdef".utf8)[...])
        #expect(result.exitCode == nil)
    }

    @Test func `what is a little over the limit is cut, and its exit code is known`() async throws {
        let peer = try await KubernetesPeer()
        let result = try await self.run([["repeat", "x", 70_000], ["exit", 3]], on: peer, keeping: 65_536)
        #expect(result.standardOutput.count == 65_536 && result.isTruncated && result.exitCode == 3)
    }

    @Test func `bytes come through as they are, and so do characters in pieces`() async throws {
        let peer = try await KubernetesPeer()
        let binary = Data((0...255).map { UInt8($0) })
        let steps: JSONValue = [
            ["stdout64", .string(binary.base64EncodedString())], ["ping"],
            // The two bytes of é in two messages.
            ["stdout64", .string(Data([0xC3]).base64EncodedString())],
            ["stdout64", .string(Data([0xA9]).base64EncodedString())],
            // One message in three frames.
            ["split", "stdout", ["gr", "ü", "n"]], ["exit", 0],
        ]
        let result = try await self.run(steps, on: peer)
        #expect(result.standardOutput == Array(binary) + Array("égrün".utf8) && result.exitCode == 0)
    }

    @Test func `a command that stalls is given up at the deadline`() async throws {
        let peer = try await KubernetesPeer()
        let start = ContinuousClock.now
        let error = await #expect(throws: KubernetesError.self) {
            try await self.run(
                [["stdout", "x"], ["stall", 300], ["exit", 0]],
                on: peer,
                within: .seconds(1)
            )
        }
        #expect(error?.code == .deadlineExceeded && .now - start < .seconds(10))
    }

    @Test func `a task that is cancelled does not wait for its command`() async throws {
        let peer = try await KubernetesPeer()
        let start = ContinuousClock.now
        let task = Task { try await self.run([["stall", 300]], on: peer, within: .seconds(200)) }
        while try await peer.count("/exec") == 0 { try await Task.sleep(for: .milliseconds(20)) }
        task.cancel()
        let error = await #expect(throws: KubernetesError.self) { try await task.value }
        #expect(error?.code == .cancelled && .now - start < .seconds(20))
    }

    @Test func `a refusal before the start is told with its reason, and a token is renewed once`()
        async throws
    {
        let peer = try await KubernetesPeer()
        try await peer.call("fail", ["pattern": "/exec", "status": 401, "reason": "Unauthorized"])
        let result = try await self.run([["exit", 0]], on: peer)
        #expect(result.exitCode == 0)
        #expect(try await peer.count("/exec") == 2)
        try await peer.call("fail", ["pattern": "/exec", "status": 403, "reason": "Forbidden"])
        let error = await #expect(throws: KubernetesError.self) {
            try await self.run([["exit", 0]], on: peer)
        }
        #expect(error?.code == .accessDenied && error?.message == "as the test wants it")
    }

    @Test func `a command whose connection is lost before the answer is not started again`() async throws {
        let peer = try await KubernetesPeer()
        try await peer.call("fail", ["pattern": "/exec", "status": 0])
        let error = await #expect(throws: KubernetesError.self) {
            try await self.run([["exit", 0]], on: peer)
        }
        #expect(error?.code == .unknownOutcome)
        #expect(try await peer.count("/exec") == 1)
    }

    @Test func `a server that says nothing for a minute is gone`() throws {
        let access = ClusterAccess(server: "https://h", tls: TLSOptions())
        var conversation = ExecConversation(APIRequest("pods.exec", .get, ["exec"]), to: access, limit: 64)
        for _ in 1...12 { #expect(conversation.tick() == .goOn(sending: [])) }
        #expect(conversation.tick() == .end(sending: []))
        let error = #expect(throws: KubernetesError.self) { try conversation.result() }
        #expect(error?.code == .unknownOutcome)
    }
}
