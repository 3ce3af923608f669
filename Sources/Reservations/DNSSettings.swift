package import AWS

/// Where host names are made.
package struct DNSSettings: Sendable {
    /// The domain that host names stand in front of, such as `devservers.io`.
    package let domainName: String
    package let hostedZoneID: HostedZoneID
    /// What host names lead to: the name of the load balancer.
    package let jupyterLoadBalancerDNS: String

    package init(domainName: String, hostedZoneID: HostedZoneID, jupyterLoadBalancerDNS: String) {
        self.domainName = domainName
        self.hostedZoneID = hostedZoneID
        self.jupyterLoadBalancerDNS = jupyterLoadBalancerDNS
    }
}
