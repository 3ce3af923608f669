/// The part of Elastic Load Balancing v2 that routes to pods need: target groups, targets, rules, tags.
///
/// Every call is repeated on throttling and passing failures until `deadline`, and ends early when its task is
/// cancelled.
package struct ELBv2Client: Sendable {
    let client: AWSClient

    /// A client that shares connections, credentials and limits with others of `client`.
    package init(_ client: AWSClient) {
        self.client = client
    }

    /// Tags of load balancers, listeners, rules or target groups, by ARN; any number of them.
    ///
    /// What is gone is left out.
    package func describeTags(
        of resources: [ResourceARN],
        deadline: ContinuousClock.Instant = .inThirtySeconds
    ) async throws(AWSError) -> [ResourceARN: Tags] {
        var tags: [ResourceARN: Tags] = [:]
        for start in stride(from: 0, to: resources.count, by: 20) {
            let some = Array(resources[start..<min(start + 20, resources.count)])
            tags.merge(try await self.presentTags(of: some, deadline)) { $1 }
        }
        return tags
    }

    /// One that is gone fails the whole call, so that each must be asked for alone then.
    private func presentTags(
        of resources: [ResourceARN],
        _ deadline: ContinuousClock.Instant
    ) async throws(AWSError) -> [ResourceARN: Tags] {
        do throws(AWSError) {
            return try await self.tags(of: resources, deadline)
        } catch {
            guard error.code == .notFound else { throw error }
            guard resources.count > 1 else { return [:] }
        }
        var tags: [ResourceARN: Tags] = [:]
        for resource in resources { tags.merge(try await self.presentTags(of: [resource], deadline)) { $1 } }
        return tags
    }

    /// Of at most 20, which must all be there.
    private func tags(
        of resources: [ResourceARN],
        _ deadline: ContinuousClock.Instant
    ) async throws(AWSError) -> [ResourceARN: Tags] {
        var parameters = FormParameters()
        parameters.add("ResourceArns", resources.map(\.rawValue), prefix: "member.")
        let page = try await self.client.form(.describeTags, parameters, deadline: deadline) {
            node throws(MalformedAnswer) in
            try node.list("TagDescriptions").map { description throws(MalformedAnswer) in
                (ResourceARN(rawValue: try description.text("ResourceArn")), try description.tags("Tags"))
            }
        }
        return Dictionary(page) { $1 }
    }

    /// Sets tags on all of the resources; values of keys that exist are overwritten.
    package func addTags(
        _ tags: Tags,
        to resources: [ResourceARN],
        deadline: ContinuousClock.Instant = .inThirtySeconds
    ) async throws(AWSError) {
        var parameters = FormParameters()
        parameters.add("ResourceArns", resources.map(\.rawValue), prefix: "member.")
        parameters.add("Tags", tags, prefix: "member.")
        try await self.client.form(.addTags, parameters, deadline: deadline)
    }
}

extension AWSOperation {
    fileprivate static let describeTags = AWSOperation(
        .elasticLoadBalancing,
        "DescribeTags",
        .read,
        rate: .loadBalancerDescribe
    )
    fileprivate static let addTags = AWSOperation(
        .elasticLoadBalancing,
        "AddTags",
        .idempotentWrite,
        rate: .loadBalancerModify
    )
}
