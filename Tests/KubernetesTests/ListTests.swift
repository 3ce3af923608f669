import HTTPPeers
import Testing

@testable import Kubernetes

@Suite(.timeLimit(.minutes(5))) struct ListTests {
    @Test func `twelve hundred pods come in three pages`() async throws {
        let peer = try await KubernetesPeer()
        try await peer.call("add_pods", ["count": 1200, "node": "n1"])
        let pods = try await peer.client().pods(in: "gpu-dev", deadline: .soon)
        #expect(Set(pods.map(\.name)).count == 1200 && pods.allSatisfy { $0.nodeName == "n1" })
        #expect(try await peer.count("/pods\\?") == 3)
        #expect(try await peer.count("limit=500") == 3)
    }

    @Test func `when the second page has expired the whole list is asked for again, undivided`() async throws
    {
        let peer = try await KubernetesPeer()
        try await peer.call("add_pods", ["count": 1200, "node": "n1"])
        try await peer.call(
            "fail",
            ["pattern": "continue=", "status": 410, "reason": "Expired"]
        )
        let pods = try await peer.client().podsOfAllNamespaces(deadline: .soon)
        #expect(Set(pods.map(\.uid)).count == 1200 && pods.count == 1200)
        let seen = try await peer.get("seen").elements.compactMap { $0[1]?.text }
        #expect(seen.count == 3 && seen[1].contains("continue=") && !seen[2].contains("limit"))
    }

    @Test func `a first page that has expired is a failure`() async throws {
        let peer = try await KubernetesPeer()
        try await peer.call("fail", ["pattern": "/nodes", "status": 410, "reason": "Expired", "times": 9])
        let client = try await peer.client()
        let error = await #expect(throws: KubernetesError.self) { try await client.nodes(deadline: .soon) }
        #expect(error?.code == .expired && error?.isRetryable == true)
    }

    @Test func `conditions arrive as they were meant`() async throws {
        let peer = try await KubernetesPeer()
        try await peer.call("add_pod", ["name": "a", "node": "n1", "labels": ["app": "gpu-dev-pod"]])
        try await peer.call("add_pod", ["name": "b", "node": "n2", "labels": ["app": "other"]])
        try await peer.call("add_pod", ["name": "c", "node": "n1", "phase": "Failed"])
        let client = try await peer.client()
        let ofNode = try await client.podsOfAllNamespaces(
            matching: [.field("spec.nodeName", is: "n1"), .field("status.phase", isNot: "Failed")],
            deadline: .soon
        )
        #expect(ofNode.map(\.name) == ["a"])
        let labelled = try await client.pods(
            in: "gpu-dev",
            matching: [.label("app", is: "other")],
            deadline: .soon
        )
        #expect(labelled.map(\.name) == ["b"])
        let odd = try await client.pods(
            in: "gpu-dev",
            matching: [.field("metadata.name", is: "a,b=c\\d")],
            deadline: .soon
        )
        #expect(odd.isEmpty)
        let path = try await peer.get("seen").elements.last?[1]?.text
        #expect(path?.contains("fieldSelector=metadata.name%3Da%5C%2Cb%5C%3Dc%5C%5Cd") == true)
    }

    @Test func `what some server on the way answers is neither an empty list nor an absent thing`()
        async throws
    {
        let peer = try await KubernetesPeer()
        let client = try await peer.client()
        for status in [200, 404] as [JSONValue] {
            try await peer.call(
                "fail",
                ["pattern": "/pods", "status": status, "body": "<html>welcome</html>", "times": 8]
            )
            var error = await #expect(throws: KubernetesError.self) {
                try await client.pod("a", in: "gpu-dev", deadline: .soon)
            }
            #expect(error?.code == .malformedResponse)
            error = await #expect(throws: KubernetesError.self) {
                try await client.pods(in: "gpu-dev", deadline: .soon)
            }
            #expect(error?.code == .malformedResponse)
        }
    }

    @Test func `nodes, services and events are read with what matters of them`() async throws {
        let peer = try await KubernetesPeer()
        let taint: JSONValue = ["key": "nvidia.com/gpu", "effect": "NoSchedule"]
        try await peer.call(
            "add_node",
            ["name": "n1", "gpu_type": "t4", "gpus": 4, "taints": [taint], "unschedulable": .bool(true)]
        )
        try await peer.call("add_service", ["name": "p-ssh", "node_port": 30022])
        let pod = try await peer.call(
            "add_pod",
            ["name": "p", "gpus": 2, "volume": "aws://us-east-2a/vol-1"]
        )
        try await peer.call("add_event", ["pod": pod, "message": "0/1 nodes are available"])
        let client = try await peer.client()
        let node = try #require(try await client.node("n1", deadline: .soon))
        #expect(node.isReady && node.isUnschedulable && node.instanceID == "i-0123456789abcdef0")
        #expect(node.allocatable["nvidia.com/gpu"] == Quantity(4) && node.allocatable["cpu"]?.roundedUp == 48)
        #expect(node.taints == [Node.Taint(key: "nvidia.com/gpu", effect: "NoSchedule")])
        #expect(node.labels["GpuType"] == "t4")
        let read = try #require(try await client.pod("p", in: "gpu-dev", deadline: .soon))
        #expect(read.phase == .pending && read.nodeName == nil && read.volumes.first?.ebsVolumeID == "vol-1")
        #expect(read.containers.first?.requests["nvidia.com/gpu"] == Quantity(2))
        let event = try #require(try await client.events(reason: "FailedScheduling", deadline: .soon).first)
        #expect(event.objectUID == read.uid && event.time != nil)
        #expect(try await client.node("n2", deadline: .soon) == nil)
    }
}
