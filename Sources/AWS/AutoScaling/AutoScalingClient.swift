/// The part of Auto Scaling that capacity needs: how many machines there are and may be.
package struct AutoScalingClient: Sendable {
    let client: AWSClient

    /// A client that shares connections, credentials and limits with others of `client`.
    package init(_ client: AWSClient) {
        self.client = client
    }

    /// All scaling groups that match every filter (`tag:<key>`, `tag-key`), in no order.
    package func describeGroups(
        matching filters: [Filter] = [],
        deadline: ContinuousClock.Instant = .inThirtySeconds
    ) async throws(AWSError) -> [AutoScalingGroup] {
        var parameters = FormParameters()
        for (index, filter) in filters.enumerated() {
            parameters.add("Filters.member.\(index + 1).Name", filter.name)
            parameters.add("Filters.member.\(index + 1).Values", filter.values, prefix: "member.")
        }
        parameters.add("MaxRecords", 100)
        return try await self.client.pages(
            .describeGroups,
            parameters,
            list: "AutoScalingGroups",
            by: .autoScaling,
            deadline: deadline
        ) { node throws(MalformedAnswer) in try AutoScalingGroup(node) }
    }
}

extension AWSOperation {
    fileprivate static let describeGroups = AWSOperation(.autoScaling, "DescribeAutoScalingGroups", .read)
}
