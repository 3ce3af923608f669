import AWS
import Jobs
import Logging

/// The records of host names in the hosted zone.
///
/// A name has a CNAME to the load balancer, and a TXT record `_port.<name>` with the port of SSH.
struct HostNameZone: Sendable {
    let route53: Route53Client
    let settings: DNSSettings
    private let deadline: ContinuousClock.Instant
    private let logger: Logger

    private static let timeToLive = 60
    private static let triesToDelete = 3

    init(route53: Route53Client, settings: DNSSettings, context: JobContext) {
        self.route53 = route53
        self.settings = settings
        self.deadline = context.deadline
        self.logger = context.logger
    }

    func qualified(_ name: HostName) -> String { "\(name).\(self.settings.domainName)" }

    /// Whether there is nothing at the name that could be somebody else's.
    func isEmpty(at name: HostName) async throws(AWSError) -> Bool {
        try await self.records(of: name).isEmpty
    }

    /// Whether some records at a name that is ours by its claim are not such as we make.
    func isForeign(_ name: HostName) async throws(AWSError) -> Bool {
        try await self.records(of: name).contains { !self.isOurs($0, at: name) }
    }

    /// Makes both records, or brings them up to date, in one step.
    ///
    /// False if nothing was done since somebody else's records have come to stand at the name.
    func lead(_ name: HostName, to port: Int) async throws(AWSError) -> Bool {
        do throws(AWSError) {
            try await self.route53.changeRecordSets(
                [.upsert(self.hostRecord(name)), .upsert(self.portRecord(name, port))],
                in: self.settings.hostedZoneID,
                deadline: self.deadline
            )
            return true
        } catch {
            guard error.isRefusedBatch, try await self.isForeign(name) else { throw error }
            return false
        }
    }

    /// Deletes the records at a name that is ours by its claim, exactly as they are; returns what was deleted.
    ///
    /// Records that somebody else made are left alone. Nothing is deleted in a dry run.
    func clear(_ name: HostName, isDryRun: Bool) async throws -> [RecordSet] {
        for _ in 0..<Self.triesToDelete {
            let own = try await self.records(of: name).filter { self.isOurs($0, at: name) }
            guard !own.isEmpty, !isDryRun else { return own }
            let names = own.map { "\($0.type) \($0.name)" }.joined(separator: ", ")
            self.logger.notice("records are being deleted", metadata: ["dns.records": "\(names)"])
            do throws(AWSError) {
                try await self.route53.changeRecordSets(
                    own.map { .delete($0) },
                    in: self.settings.hostedZoneID,
                    deadline: self.deadline
                )
                return own
            } catch {
                guard error.isRefusedBatch else { throw error }
            }
        }
        throw RecordContention()
    }
}

extension HostNameZone {
    private func portName(_ name: HostName) -> String { "_port.\(self.qualified(name))" }

    private func hostRecord(_ name: HostName) -> RecordSet {
        RecordSet(
            name: self.qualified(name),
            type: .cname,
            timeToLive: Self.timeToLive,
            values: [self.settings.jupyterLoadBalancerDNS]
        )
    }

    private func portRecord(_ name: HostName, _ port: Int) -> RecordSet {
        RecordSet(
            name: self.portName(name),
            type: .txt,
            timeToLive: Self.timeToLive,
            values: ["\"\(port)\""]
        )
    }

    private func isOurs(_ record: RecordSet, at name: HostName) -> Bool {
        guard !record.isAlias, record.setIdentifier == nil else { return false }
        let balancer = RecordSet.normalized(self.settings.jupyterLoadBalancerDNS)
        switch record.type {
        case .cname:
            return record.name == self.qualified(name)
                && record.values.map { RecordSet.normalized($0) } == [balancer]
        case .txt:
            let ports = record.values.map { Int($0.split(separator: "\"").joined()) }
            return record.name == self.portName(name) && ports.count == 1 && !ports.contains(nil)
        default: return false
        }
    }

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

extension AWSError {
    /// Whether the batch did not fit the records that are there: they are to be read again.
    fileprivate var isRefusedBatch: Bool { self.awsCode == "InvalidChangeBatch" }
}

/// Somebody changed the records each time between our look and our change; the next attempt of the job looks again.
struct RecordContention: Error, DescribedFailure {
    var failureCode: String { "InvalidChangeBatch" }
    var isWorthAnotherTry: Bool { true }
}
