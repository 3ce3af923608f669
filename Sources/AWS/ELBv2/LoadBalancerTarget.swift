/// An instance and the port on which it takes traffic.
package struct LoadBalancerTarget: Sendable, Hashable {
    package let instanceID: InstanceID
    package let port: Int

    /// A target on an instance.
    package init(instanceID: InstanceID, port: Int) {
        self.instanceID = instanceID
        self.port = port
    }
}
