import AWS

/// The records of host names in the hosted zone.
///
/// A name has a CNAME to the load balancer, and a TXT record `_port.<name>` with the port of SSH.
struct HostNameZone: Sendable {
    let route53: Route53Client
    let settings: DNSSettings
    let deadline: ContinuousClock.Instant

    private static let timeToLive = 60

    func qualified(_ name: HostName) -> String { "\(name).\(self.settings.domainName)" }

    /// Whether there is nothing at the name that could be somebody else's.
    func isEmpty(at name: HostName) async throws(AWSError) -> Bool {
        try await self.records(of: name).isEmpty
    }

    /// Whether the records at a name that is ours by its claim are not such as we make.
    func isForeign(_ name: HostName) async throws(AWSError) -> Bool {
        let balancer = RecordSet.normalized(self.settings.jupyterLoadBalancerDNS)
        return try await self.records(of: name).contains { record in
            switch record.type {
            case .cname: record.values.map { RecordSet.normalized($0) } != [balancer]
            case .txt: record.name == self.qualified(name)
            default: true
            }
        }
    }

    /// Makes both records, or brings them up to date, in one step.
    func lead(_ name: HostName, to port: Int) async throws(AWSError) {
        let host = RecordSet(
            name: self.qualified(name),
            type: .cname,
            timeToLive: Self.timeToLive,
            values: [self.settings.jupyterLoadBalancerDNS]
        )
        let service = RecordSet(
            name: self.portName(name),
            type: .txt,
            timeToLive: Self.timeToLive,
            values: ["\"\(port)\""]
        )
        try await self.route53.changeRecordSets(
            [.upsert(host), .upsert(service)],
            in: self.settings.hostedZoneID,
            deadline: self.deadline
        )
    }

    private func portName(_ name: HostName) -> String { "_port.\(self.qualified(name))" }

    private func records(of name: HostName) async throws(AWSError) -> [RecordSet] {
        var records: [RecordSet] = []
        for name in [self.qualified(name), self.portName(name)] {
            records += try await self.route53.records(
                named: name,
                in: self.settings.hostedZoneID,
                deadline: self.deadline
            )
        }
        return records
    }
}
