import Foundation
import HTTP
import HTTPPeers
import Synchronization
import Testing

@testable import Kubernetes

@Suite(.timeLimit(.minutes(5))) struct AccessTests {
    private func folder() throws -> URL {
        let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        return folder
    }

    private func kubeconfig(of peer: KubernetesPeer, user: JSONValue) async throws -> String {
        try #require(try await peer.call("kubeconfig", ["user": user]).text)
    }

    @Test func `a token file that was replaced is read again after one refusal`() async throws {
        let peer = try await KubernetesPeer()
        let file = try self.folder().appending(path: "token")
        try Data("\(peer.token)\n".utf8).write(to: file)
        let path = try await self.kubeconfig(of: peer, user: ["tokenFile": .string(file.path)])
        let client = try await peer.client(path)
        _ = try await client.nodes(deadline: .soon)
        try Data("second".utf8).write(to: file)
        try await peer.call("set_tokens", ["tokens": ["second"]])
        _ = try await client.nodes(deadline: .soon)
        _ = try await client.nodes(deadline: .soon)
        #expect(try await peer.count("/nodes") == 4)
    }

    @Test func `a token that is refused though it is new fails after one renewal`() async throws {
        let peer = try await KubernetesPeer()
        let client = try await peer.client()
        try await peer.call("set_tokens", ["tokens": []])
        let error = await #expect(throws: KubernetesError.self) { try await client.nodes(deadline: .soon) }
        #expect(error?.code == .credentials && error?.isRetryable == true)
        #expect(try await peer.count("/nodes") == 2)
    }

    @Test func `a cluster found by name is asked for once, its token once more after a refusal`() async throws
    {
        let peer = try await KubernetesPeer()
        let lookups = Mutex(0)
        let tokens = Mutex((count: 0, valid: "first"))
        let access = NamedClusterAccess(
            locate: { _ in
                lookups.withLock { $0 += 1 }
                return .init(server: peer.url, authority: Array(peer.authority.utf8))
            },
            makeToken: { _ in
                tokens.withLock { tokens in
                    tokens.count += 1
                    return (tokens.valid, Date(timeIntervalSinceNow: 840))
                }
            }
        )
        let client = peer.client(with: access)
        try await peer.call("set_tokens", ["tokens": ["first"]])
        try await withThrowingTaskGroup { group in
            for _ in 1...8 { group.addTask { _ = try await client.nodes(deadline: .soon) } }
            try await group.waitForAll()
        }
        // One look-up, unless a connection failed on a busy machine; then the cluster and a token are asked for anew.
        #expect(tokens.withLock(\.count) == lookups.withLock { $0 })
        tokens.withLock { $0.valid = "second" }
        try await peer.call("set_tokens", ["tokens": ["second"]])
        try await withThrowingTaskGroup { group in
            for _ in 1...8 { group.addTask { _ = try await client.nodes(deadline: .soon) } }
            try await group.waitForAll()
        }
        #expect(tokens.withLock(\.count) == lookups.withLock { $0 } + 1)
    }

    @Test func `a cluster with a new authority is looked up again`() async throws {
        let peer = try await KubernetesPeer()
        let authority = Mutex(Array(peer.authority.utf8))
        let access = NamedClusterAccess(
            locate: { _ in .init(server: peer.url, authority: authority.withLock { $0 }) },
            makeToken: { _ in (peer.token, Date(timeIntervalSinceNow: 840)) }
        )
        let client = peer.client(with: access)
        _ = try await client.nodes(deadline: .soon)
        let renewed = try #require(try await peer.call("renew_authority").text)
        // The connection that is open still has the old certificate.
        try await peer.call("fail", ["pattern": "/nodes", "status": 0])
        authority.withLock { $0 = Array(renewed.utf8) }
        _ = try await client.nodes(deadline: .soon)
    }

    @Test func `a server whose certificate nobody vouches for is not told the token`() async throws {
        let (peer, stranger) = (try await KubernetesPeer(), try await KubernetesPeer())
        let authority = Data(stranger.authority.utf8).base64EncodedString()
        let path = try await peer.call("kubeconfig", ["certificate-authority-data": .string(authority)]).text
        let client = try await peer.client(path)
        let error = await #expect(throws: KubernetesError.self) { try await client.nodes(deadline: .soon) }
        #expect((error?.underlying as? HTTPError)?.requestWasSent == false)
        #expect(try await peer.get("seen") == [])
    }

    @Test func `a client certificate opens the door, from files and from data`() async throws {
        let peer = try await KubernetesPeer()
        let files = try await peer.call("client_certificate")
        let (certificate, key) = (try #require(files[0]?.text), try #require(files[1]?.text))
        let byFile = try await self.kubeconfig(
            of: peer,
            user: ["client-certificate": .string(certificate), "client-key": .string(key)]
        )
        _ = try await peer.client(byFile).nodes(deadline: .soon)
        let data = try [certificate, key].map {
            JSONValue.string(try Data(contentsOf: URL(filePath: $0)).base64EncodedString())
        }
        let byData = try await self.kubeconfig(
            of: peer,
            user: ["client-certificate-data": data[0], "client-key-data": data[1]]
        )
        _ = try await peer.client(byData).nodes(deadline: .soon)
        let error = await #expect(throws: KubernetesError.self) {
            let empty = try await self.kubeconfig(of: peer, user: [:])
            _ = try await peer.client(empty).nodes(deadline: .soon)
        }
        #expect(error?.code == .credentials)
    }

    @Test func `the certificate may have another name than the URL`() async throws {
        let peer = try await KubernetesPeer()
        let good = try await peer.call("kubeconfig", ["tls-server-name": "api.cluster.example"]).text
        _ = try await peer.client(good).nodes(deadline: .soon)
        let bad = try await peer.call("kubeconfig", ["tls-server-name": "api.other.example"]).text
        let client = try await peer.client(bad)
        let error = await #expect(throws: KubernetesError.self) { try await client.nodes(deadline: .soon) }
        #expect((error?.underlying as? HTTPError)?.code == .tlsFailed)
    }

    @Test func `a plugin gives a token, and a new one when that is refused`() async throws {
        let peer = try await KubernetesPeer()
        let folder = try self.folder()
        let plugin = folder.appending(path: "plugin")
        try Data(
            """
            #!/bin/sh
            echo "$KUBERNETES_EXEC_INFO" > \(folder.path)/info
            echo run >> \(folder.path)/runs
            printf '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":'
            printf '{"token":"%s","expirationTimestamp":"2099-01-01T00:00:00Z"}}' "$(cat \(folder.path)/token)"
            """.utf8
        ).write(to: plugin)
        try FileManager.default.setAttributes([.posixPermissions: 0o700], ofItemAtPath: plugin.path)
        try Data(peer.token.utf8).write(to: folder.appending(path: "token"))
        let exec: JSONValue = [
            "apiVersion": "client.authentication.k8s.io/v1", "command": .string(plugin.path),
            "provideClusterInfo": .bool(true), "interactiveMode": "Never",
        ]
        let client = try await peer.client(try await self.kubeconfig(of: peer, user: ["exec": exec]))
        for _ in 1...3 { _ = try await client.nodes(deadline: .soon) }
        try Data("second".utf8).write(to: folder.appending(path: "token"))
        try await peer.call("set_tokens", ["tokens": ["second"]])
        _ = try await client.nodes(deadline: .soon)
        let runs = try String(contentsOf: folder.appending(path: "runs"), encoding: .utf8)
        #expect(runs == "run\nrun\n")
        let information = try JSONDecoder().decode(
            JSONValue.self,
            from: Data(contentsOf: folder.appending(path: "info"))
        )
        #expect(
            information["kind"] == "ExecCredential" && information["spec"]?["interactive"] == .bool(false)
        )
        #expect(information["spec"]?["cluster"]?["server"]?.text == peer.url)
    }

    @Test func `a pod finds its own cluster`() async throws {
        let peer = try await KubernetesPeer()
        let folder = try self.folder()
        let port = try #require(peer.url.split(separator: ":").last.map(String.init))
        let environment = ["KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": port]
        #expect(InClusterAccess(environment: { environment[$0] }, directory: folder.path) == nil)
        try Data(peer.authority.utf8).write(to: folder.appending(path: "ca.crt"))
        try Data(peer.token.utf8).write(to: folder.appending(path: "token"))
        let access = try #require(InClusterAccess(environment: { environment[$0] }, directory: folder.path))
        _ = try await peer.client(with: access).nodes(deadline: .soon)
        #expect(InClusterAccess(environment: { _ in nil }, directory: folder.path) == nil)
    }

    @Test func `of several kubeconfigs the first counts, and paths are relative to each`() async throws {
        let peer = try await KubernetesPeer()
        let folder = try self.folder()
        try Data(peer.token.utf8).write(to: folder.appending(path: "t"))
        try Data(peer.authority.utf8).write(to: folder.appending(path: "ca.pem"))
        try Data(
            """
            current-context: mine
            users: [{name: me, user: {tokenFile: t}}]
            contexts:
            - {name: mine, context: {cluster: here, user: me, namespace: elsewhere}}
            """.utf8
        ).write(to: folder.appending(path: "first"))
        try Data(
            """
            current-context: other
            users: [{name: me, user: {token: wrong}}]
            clusters:
            - name: here
              cluster:
                server: \(peer.url)
                certificate-authority: ca.pem
            """.utf8
        ).write(to: folder.appending(path: "second"))
        let list = ["absent", "first", "second"].map { folder.appending(path: $0).path }.joined(
            separator: ":"
        )
        _ = try await peer.client(list).nodes(deadline: .soon)
    }

    @Test(
        arguments: [
            ("clusters: 7", "is no kubeconfig"), ("{}", "current-context"),
            ("current-context: a", "no context a"),
            (
                """
                current-context: a
                contexts: [{name: a, context: {cluster: a, user: a}}]
                clusters: [{name: a, cluster: {server: 'https://h', insecure-skip-tls-verify: true}}]
                """, "insecure-skip-tls-verify"
            ),
            (
                """
                current-context: a
                contexts: [{name: a, context: {cluster: a, user: a}}]
                clusters: [{name: a, cluster: {server: 'http://h'}}]
                """, "not https"
            ),
        ]
    )
    func `a kubeconfig that cannot work is refused with its fault`(text: String, complaint: String) throws {
        let file = try self.folder().appending(path: "config")
        try Data(text.utf8).write(to: file)
        let error = #expect(throws: KubernetesError.self) { try KubeconfigAccess(files: file.path) }
        #expect(error?.code == .configuration && error?.message.contains(complaint) == true)
    }
}
