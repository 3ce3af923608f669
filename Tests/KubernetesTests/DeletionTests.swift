import HTTPPeers
import Testing

@testable import Kubernetes

@Suite(.timeLimit(.minutes(5))) struct DeletionTests {
    @Test func `a pod ends gracefully, and a second request finds nothing to do`() async throws {
        let peer = try await KubernetesPeer()
        try await peer.call("add_pod", ["name": "p", "node": "n1"])
        let client = try await peer.client()
        let pod = try #require(try await client.pod("p", in: "gpu-dev", deadline: .soon))
        #expect(try await client.deletePod(pod, gracePeriod: .seconds(30), deadline: .soon))
        let ending = try await client.pod("p", in: "gpu-dev", deadline: .soon)
        #expect(ending.map(\.isTerminating) ?? true)
        while try await client.pod("p", in: "gpu-dev", deadline: .soon) != nil {
            try await Task.sleep(for: .milliseconds(50))
        }
        #expect(try await !client.deletePod(pod, gracePeriod: .zero, deadline: .soon))
        #expect(try await peer.get("removed") == ["pods/p"])
    }

    @Test func `a pod that was made again under the same name survives`() async throws {
        let peer = try await KubernetesPeer()
        try await peer.call("add_pod", ["name": "p", "node": "n1"])
        let client = try await peer.client()
        let old = try #require(try await client.pod("p", in: "gpu-dev", deadline: .soon))
        try await peer.call("remove", ["kind": "pods", "name": "p"])
        try await peer.call("add_pod", ["name": "p", "node": "n1"])
        #expect(try await !client.deletePod(old, gracePeriod: nil, deadline: .soon))
        let present = try await client.pod("p", in: "gpu-dev", deadline: .soon)
        #expect(present?.uid != old.uid && present?.isTerminating == false)
    }

    @Test func `a request whose answer is lost is made again`() async throws {
        let peer = try await KubernetesPeer()
        try await peer.call("add_service", ["name": "s", "node_port": 30022])
        try await peer.call("fail", ["pattern": "/services/s", "status": 0])
        let client = try await peer.client()
        #expect(try await client.deleteService("s", in: "gpu-dev", deadline: .soon))
        #expect(try await !client.deleteService("s", in: "gpu-dev", deadline: .soon))
        #expect(try await peer.call("names", ["kind": "services"]) == [])
    }
}
