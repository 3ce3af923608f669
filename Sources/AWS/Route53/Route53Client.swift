import HTTP

/// The part of Route 53 that host names need: reading and changing the record sets of a zone.
///
/// Every call is repeated on throttling and passing failures until `deadline`, and ends early when its task is
/// cancelled. Names go in and come out lower-case and without a final dot.
package struct Route53Client: Sendable {
    let client: AWSClient
    private let batches = DNSChangeBatches(of: "route53.ChangeResourceRecordSets")

    /// A client that shares connections, credentials and limits with others of `client`.
    package init(_ client: AWSClient) {
        self.client = client
    }

    /// Record sets in Route 53's order (by reversed labels), from a name and type on; all of them by default.
    package func listRecordSets(
        in zone: HostedZoneID,
        from name: String? = nil,
        type: RecordType? = nil,
        limit: Int? = nil,
        deadline: ContinuousClock.Instant = .inThirtySeconds
    ) async throws(AWSError) -> [RecordSet] {
        try await self.recordSets(in: zone, from: name, type: type, deadline: deadline) { sets in
            sets.count >= limit ?? .max
        }.prefix(limit ?? .max).map { $0 }
    }

    /// The record sets of exactly this name, of any type.
    package func records(
        named name: String,
        in zone: HostedZoneID,
        deadline: ContinuousClock.Instant = .inThirtySeconds
    ) async throws(AWSError) -> [RecordSet] {
        let name = RecordSet.normalized(name)
        return try await self.recordSets(in: zone, from: name, type: nil, deadline: deadline) { sets in
            sets.last.map { $0.name != name } ?? false
        }.filter { $0.name == name }
    }

    /// Carries out all changes or none; those of several callers at a time go in one batch, which changes no name for two.
    ///
    /// Refused changes come as `awsCode` `InvalidChangeBatch` with Route 53's words in `messages`. A batch that only
    /// upserts may be repeated; of any other a lost answer is thrown as `unknownOutcome`: read the records, then
    /// decide. (Amazon Route 53 API Reference, ChangeResourceRecordSets.)
    ///
    /// - Parameters:
    ///   - changes: At most 1000; an upsert counts twice.
    ///   - zone: The zone of all of them.
    ///   - comment: Kept by Route 53 with the change.
    ///   - deadline: When to give up.
    /// - Returns: The change as Route 53 has noted it.
    /// - Throws: A refusal, or that the outcome is unknown.
    @discardableResult
    package func changeRecordSets(
        _ changes: [RecordChange],
        in zone: HostedZoneID,
        comment: String? = nil,
        deadline: ContinuousClock.Instant = .inThirtySeconds
    ) async throws(AWSError) -> ChangeInfo {
        let order = DNSChangeOrder(changes: changes, comment: comment, deadline: deadline)
        return try await self.batches.carryOut(order, in: zone) { order in
            do throws(AWSError) {
                return .success(try await self.send(order, to: zone))
            } catch {
                return .failure(error)
            }
        }
    }

    private func send(_ order: DNSChangeOrder, to zone: HostedZoneID) async throws(AWSError) -> ChangeInfo {
        let operation = AWSOperation(
            .route53,
            "ChangeResourceRecordSets",
            order.isIdempotent ? .idempotentWrite : .write,
            rate: .route53
        )
        let request = AWSRequest(
            operation,
            method: .post,
            path: ["2013-04-01", "hostedzone", zone.rawValue, "rrset", ""],
            headers: [("Content-Type", "text/xml")],
            body: Array(RecordChange.batchXML(order.changes, comment: order.comment).utf8)
        )
        return try await self.client.xml(request, deadline: order.deadline) { node throws(MalformedAnswer) in
            try ChangeInfo(node)
        }
    }

    /// How far a batch of changes has come.
    package func change(
        _ id: String,
        deadline: ContinuousClock.Instant = .inThirtySeconds
    ) async throws(AWSError) -> ChangeInfo {
        let request = AWSRequest(
            AWSOperation(.route53, "GetChange", .read, rate: .route53),
            method: .get,
            path: ["2013-04-01", "change", id]
        )
        return try await self.client.xml(request, deadline: deadline) { node throws(MalformedAnswer) in
            try ChangeInfo(node)
        }
    }

    private func recordSets(
        in zone: HostedZoneID,
        from name: String?,
        type: RecordType?,
        deadline: ContinuousClock.Instant,
        until isEnough: ([RecordSet]) -> Bool
    ) async throws(AWSError) -> [RecordSet] {
        let operation = AWSOperation(.route53, "ListResourceRecordSets", .read, rate: .route53)
        var start = RecordSetPage.Start(name: name, type: type?.rawValue, identifier: nil)
        var sets: [RecordSet] = []
        while true {
            let request = AWSRequest(
                operation,
                method: .get,
                path: ["2013-04-01", "hostedzone", zone.rawValue, "rrset"],
                query: start.query
            )
            let page = try await self.client.xml(request, deadline: deadline) {
                node throws(MalformedAnswer) in
                try RecordSetPage(node)
            }
            sets += page.sets
            guard let next = page.next, !isEnough(sets) else { return sets }
            guard next != start else { throw AWSError.repeatedPage(operation) }
            start = next
        }
    }
}
