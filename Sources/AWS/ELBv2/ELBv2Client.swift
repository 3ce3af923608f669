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
    package func describeTags(
        of resources: [ResourceARN],
        deadline: ContinuousClock.Instant = .inThirtySeconds
    ) async throws(AWSError) -> [ResourceARN: Tags] {
        var tags: [ResourceARN: Tags] = [:]
        for start in stride(from: 0, to: resources.count, by: 20) {
            var parameters = FormParameters()
            let some = resources[start..<min(start + 20, resources.count)]
            parameters.add("ResourceArns", some.map(\.rawValue), prefix: "member.")
            let page = try await self.client.form(.describeTags, parameters, deadline: deadline) {
                node throws(MalformedAnswer) in
                try node.list("TagDescriptions").map { description throws(MalformedAnswer) in
                    (ResourceARN(rawValue: try description.text("ResourceArn")), try description.tags("Tags"))
                }
            }
            tags.merge(page) { $1 }
        }
        return tags
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
