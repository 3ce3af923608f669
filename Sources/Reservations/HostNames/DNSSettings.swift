package import AWS

/// Where host names are made.
package struct DNSSettings: Sendable {
    /// The domain that host names stand in front of, such as `devservers.io`.
    package let domainName: String
    package let hostedZoneID: HostedZoneID
    /// What host names lead to: the name of the load balancer.
    package let jupyterLoadBalancerDNS: String
    /// Names that are never given to a reservation, since infrastructure answers under them.
    let reservedNames: Set<String>

    package init(
        domainName: String,
        hostedZoneID: HostedZoneID,
        jupyterLoadBalancerDNS: String,
        reservedNames: [String] = []
    ) {
        self.domainName = domainName
        self.hostedZoneID = hostedZoneID
        self.jupyterLoadBalancerDNS = jupyterLoadBalancerDNS
        let balancer = RecordSet.normalized(jupyterLoadBalancerDNS)
        let own = balancer.hasSuffix(".\(domainName)") ? [String(balancer.prefix { $0 != "." })] : []
        self.reservedNames = HostName.reserved.union(reservedNames).union(own)
    }
}
