/// A registered target and what its load balancer thinks of it.
package struct TargetHealth: Sendable, Hashable {
    package let target: LoadBalancerTarget
    /// In ELBv2's words: `initial`, `healthy`, `unhealthy`, `unused`, `draining`, `unavailable`.
    package let state: String

    /// A target and its state.
    package init(target: LoadBalancerTarget, state: String) {
        self.target = target
        self.state = state
    }

    /// Whether the target still belongs to the group; a draining one has been deregistered.
    package var isRegistered: Bool { self.state != "draining" }
}
