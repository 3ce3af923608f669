import XML

extension EC2Client {
    /// The state of an instance, or nil if EC2 knows none of this id any more.
    package func instanceState(
        _ id: InstanceID,
        deadline: ContinuousClock.Instant = .inThirtySeconds
    ) async throws(AWSError) -> InstanceState? {
        var parameters = FormParameters()
        parameters.add("InstanceId", [id.rawValue])
        return try await self.client.unlessAbsent(["InvalidInstanceID.NotFound"]) { () throws(AWSError) in
            try await self.client.form(.describeInstances, parameters, deadline: deadline) { node in
                node.list("reservationSet").flatMap { $0.list("instancesSet") }.first
                    .flatMap { $0.child("instanceState")?["name"] }
                    .map { InstanceState($0) }
            }
        }
    }
}

extension AWSOperation {
    fileprivate static let describeInstances = AWSOperation(
        .ec2,
        "DescribeInstances",
        .read,
        rate: .ec2Describe
    )
}
