extension EC2Client {
    /// The snapshot, or nil if EC2 says that there is none of this id (`InvalidSnapshot.NotFound`).
    package func snapshot(
        _ id: SnapshotID,
        deadline: ContinuousClock.Instant = .inThirtySeconds
    ) async throws(AWSError) -> Snapshot? {
        let many = ManyLookups<SnapshotID, Snapshot>(
            limit: 1000,
            absence: "InvalidSnapshot.NotFound",
            id: \.id
        ) { ids, deadline async throws(AWSError) in
            var parameters = FormParameters()
            parameters.add("SnapshotId", ids.map(\.rawValue))
            return try await self.describeSnapshots(parameters, deadline: deadline)
        }
        return try await self.snapshotLookups.item(id, deadline: deadline) { ids, deadline in
            await many.outcomes(of: ids, deadline: deadline)
        }
    }

    /// All of the account's own snapshots that match every filter, in no order.
    package func describeSnapshots(
        matching filters: [Filter],
        deadline: ContinuousClock.Instant = .inThirtySeconds
    ) async throws(AWSError) -> [Snapshot] {
        var parameters = FormParameters()
        parameters.add(filters)
        parameters.add("MaxResults", 1000)
        return try await self.describeSnapshots(parameters, deadline: deadline)
    }

    /// Takes a snapshot once for each `operation`, however often it is called.
    ///
    /// CreateSnapshot has no client token: the snapshot of this volume that carries `operationTag` = `operation` is
    /// returned where there is one that is not in error. An unknown outcome is thrown with `retryAfter` 15 s, since
    /// a snapshot just begun may take that long to show up in the list.
    package func createSnapshot(
        of volume: VolumeID,
        description: String,
        operation: String,
        tags: Tags,
        deadline: ContinuousClock.Instant = .inThirtySeconds
    ) async throws(AWSError) -> Snapshot {
        let earlier = try await self.describeSnapshots(
            matching: [.tag(Self.operationTag, operation), .volume(volume)],
            deadline: deadline
        )
        if let snapshot = earlier.filter({ $0.state != .error }).min(by: { $0.startTime < $1.startTime }) {
            return snapshot
        }
        var parameters = FormParameters()
        parameters.add("VolumeId", volume.rawValue)
        parameters.add("Description", description)
        parameters.add("TagSpecification.1.ResourceType", "snapshot")
        parameters.add("TagSpecification.1.Tag", tags.merging([Self.operationTag: operation]) { $1 })
        do throws(AWSError) {
            return try await self.client.form(.createSnapshot, parameters, deadline: deadline) {
                node throws(MalformedAnswer) in try Snapshot(node)
            }
        } catch {
            var error = error
            if error.code == .unknownOutcome { error.retryAfter = .seconds(15) }
            throw error
        }
    }

    /// Deletes the snapshot; false if it was gone already.
    ///
    /// A snapshot that an image needs is refused for good with `awsCode` `InvalidSnapshot.InUse`.
    @discardableResult
    package func deleteSnapshot(
        _ id: SnapshotID,
        deadline: ContinuousClock.Instant = .inThirtySeconds
    ) async throws(AWSError) -> Bool {
        var parameters = FormParameters()
        parameters.add("SnapshotId", id.rawValue)
        let done: Void? = try await self.client.unlessAbsent(["InvalidSnapshot.NotFound"]) {
            () throws(AWSError) in
            try await self.client.form(.deleteSnapshot, parameters, deadline: deadline)
        }
        return done != nil
    }

    private func describeSnapshots(
        _ parameters: FormParameters,
        deadline: ContinuousClock.Instant
    ) async throws(AWSError) -> [Snapshot] {
        var parameters = parameters
        // Without an owner the public snapshots of everybody would come.
        parameters.add("Owner", ["self"])
        return try await self.client.pages(
            .describeSnapshots,
            parameters,
            list: "snapshotSet",
            by: .ec2,
            deadline: deadline
        ) { node throws(MalformedAnswer) in try Snapshot(node) }
    }
}

extension AWSOperation {
    static let describeSnapshots = AWSOperation(
        .ec2,
        "DescribeSnapshots",
        .read,
        rate: .ec2Describe
    )
    fileprivate static let createSnapshot = AWSOperation(.ec2, "CreateSnapshot", .write, rate: .ec2Mutate)
    fileprivate static let deleteSnapshot = AWSOperation(
        .ec2,
        "DeleteSnapshot",
        .idempotentWrite,
        rate: .ec2Mutate
    )
}
