import HTTP

extension KubernetesClient {
    /// All nodes that fit, in no order.
    package func nodes(
        matching selectors: [Selector] = [],
        deadline: ContinuousClock.Instant
    ) async throws(KubernetesError) -> [Node] {
        let request = APIRequest("nodes.list", .get, ["api", "v1", "nodes"], query: selectors.query)
        return try await self.list(Node.self, request, kind: "NodeList", deadline: deadline)
    }

    /// A node, or nil if the server says that there is none of that name.
    package func node(
        _ name: String,
        deadline: ContinuousClock.Instant
    ) async throws(KubernetesError) -> Node? {
        let request = APIRequest("nodes.get", .get, ["api", "v1", "nodes", name])
        return try await self.object(Node.self, request, kind: "Node", deadline: deadline)
    }

    /// All events of the cluster with this reason, such as `FailedScheduling`, in no order.
    package func events(
        reason: String,
        deadline: ContinuousClock.Instant
    ) async throws(KubernetesError) -> [Event] {
        let query = [Selector.field("reason", is: reason)].query
        let request = APIRequest("events.list", .get, ["api", "v1", "events"], query: query)
        return try await self.list(Event.self, request, kind: "EventList", deadline: deadline)
    }
}
