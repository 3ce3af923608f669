extension EC2Client {
    /// The volume, or nil if EC2 says that there is none of this id (`InvalidVolume.NotFound`).
    package func volume(
        _ id: VolumeID,
        deadline: ContinuousClock.Instant = .inThirtySeconds
    ) async throws(AWSError) -> Volume? {
        try await self.volumeLookups.item(id, deadline: deadline) { ids, deadline in
            await self.manyVolumes.outcomes(of: ids, deadline: deadline)
        }
    }

    /// The volumes of these ids, in no order; those that EC2 does not know are left out.
    package func describeVolumes(
        ids: [VolumeID],
        deadline: ContinuousClock.Instant = .inThirtySeconds
    ) async throws(AWSError) -> [Volume] {
        let outcomes = await self.manyVolumes.outcomes(of: Array(Set(ids)), deadline: deadline)
        var volumes: [Volume] = []
        for outcome in outcomes.values {
            if let volume = try outcome.get() { volumes.append(volume) }
        }
        return volumes
    }

    /// All volumes that match every filter, in no order.
    package func describeVolumes(
        matching filters: [Filter],
        deadline: ContinuousClock.Instant = .inThirtySeconds
    ) async throws(AWSError) -> [Volume] {
        var parameters = FormParameters()
        parameters.add(filters)
        parameters.add("MaxResults", 500)
        return try await self.describeVolumes(parameters, deadline: deadline)
    }

    /// Makes a volume once for each `identity` and `generation`, however often it is called.
    ///
    /// A volume that was made before is found by its tags and returned with whatever settings it has, unless it is in
    /// error or being deleted. Otherwise the client token, a digest of identity and generation, keeps EC2 from making
    /// a second one; for hours it may give back a volume that is gone. (Amazon EC2 API Reference, CreateVolume.)
    ///
    /// - Parameters:
    ///   - settings: Zone, size and source.
    ///   - operation: The id of the job; becomes the operation tag.
    ///   - identity: What the client token is made of; the operation where it is left out.
    ///   - generation: Raise it to make another volume after the first turned out to be in error.
    ///   - tags: Tags of the new volume, besides the operation tag.
    ///   - earlier: What a volume made by an earlier call has; the operation tag where it is left out.
    ///   - deadline: When to give up.
    /// - Returns: The new volume, or the one of an earlier call.
    /// - Throws: AWS's refusal, or that no answer came; the same call may then be made again.
    package func createVolume(
        _ settings: VolumeSettings,
        operation: String,
        identity: String? = nil,
        generation: Int = 0,
        tags: Tags,
        unless earlier: [Filter]? = nil,
        deadline: ContinuousClock.Instant = .inThirtySeconds
    ) async throws(AWSError) -> Volume {
        let earlier = earlier ?? [.tag(Self.operationTag, operation)]
        var mismatch: AWSError?
        for generation in generation..<generation + 3 {
            if let volume = try await self.oldestVolume(matching: earlier, deadline: deadline) {
                return volume
            }
            do throws(AWSError) {
                return try await self.createVolumeOnce(
                    settings,
                    token: "\(identity ?? operation)/\(generation)".sha256Hex,
                    tags: tags.merging([Self.operationTag: operation]) { $1 },
                    deadline: deadline
                )
            } catch {
                guard error.awsCode == "IdempotentParameterMismatch" else { throw error }
                mismatch = error
            }
        }
        throw mismatch ?? AWSError(code: .other, operation: "ec2.CreateVolume", message: "no generation left")
    }

    /// Deletes the volume; false if it was gone already.
    @discardableResult
    package func deleteVolume(
        _ id: VolumeID,
        deadline: ContinuousClock.Instant = .inThirtySeconds
    ) async throws(AWSError) -> Bool {
        var parameters = FormParameters()
        parameters.add("VolumeId", id.rawValue)
        let done: Void? = try await self.client.unlessAbsent(["InvalidVolume.NotFound"]) {
            () throws(AWSError) in
            try await self.client.form(.deleteVolume, parameters, deadline: deadline)
        }
        return done != nil
    }

    /// Begins to detach the volume from every instance that has it; false if there was nothing to begin.
    @discardableResult
    package func detachVolume(
        _ id: VolumeID,
        force: Bool = false,
        deadline: ContinuousClock.Instant = .inThirtySeconds
    ) async throws(AWSError) -> Bool {
        let attachments = try await self.volume(id, deadline: deadline)?.attachments ?? []
        let live = attachments.filter { $0.state != .detached && (force || $0.state != .detaching) }
        for attachment in live {
            var parameters = FormParameters()
            parameters.add("VolumeId", id.rawValue)
            parameters.add("InstanceId", attachment.instanceID.rawValue)
            parameters.add("Device", attachment.device.isEmpty ? nil : attachment.device)
            parameters.add("Force", force ? "true" : nil)
            // Between the look and the call it may have come off by itself.
            let gone: Set = ["InvalidAttachment.NotFound", "InvalidVolume.NotFound", "IncorrectState"]
            _ = try await self.client.unlessAbsent(gone) { () throws(AWSError) in
                try await self.client.form(.detachVolume, parameters, deadline: deadline)
            }
        }
        return !live.isEmpty
    }

    private func oldestVolume(
        matching filters: [Filter],
        deadline: ContinuousClock.Instant
    ) async throws(AWSError) -> Volume? {
        try await self.describeVolumes(matching: filters, deadline: deadline)
            .filter { ![.deleting, .deleted, .error].contains($0.state) }
            .min { $0.createTime < $1.createTime }
    }

    private func createVolumeOnce(
        _ settings: VolumeSettings,
        token: String,
        tags: Tags,
        deadline: ContinuousClock.Instant
    ) async throws(AWSError) -> Volume {
        var parameters = FormParameters()
        parameters.add("AvailabilityZone", settings.availabilityZone)
        parameters.add("Size", settings.size)
        parameters.add("SnapshotId", settings.snapshotID?.rawValue)
        parameters.add("VolumeType", settings.type)
        parameters.add("Iops", settings.iops)
        parameters.add("Throughput", settings.throughput)
        parameters.add("ClientToken", token)
        parameters.add("TagSpecification.1.ResourceType", "volume")
        parameters.add("TagSpecification.1.Tag", tags)
        return try await self.client.form(.createVolume, parameters, deadline: deadline) {
            node throws(MalformedAnswer) in try Volume(node)
        }
    }

    private var manyVolumes: ManyLookups<VolumeID, Volume> {
        ManyLookups(limit: 500, absence: "InvalidVolume.NotFound", id: \.id) {
            ids,
            deadline async throws(AWSError) in
            var parameters = FormParameters()
            parameters.add("VolumeId", ids.map(\.rawValue))
            return try await self.describeVolumes(parameters, deadline: deadline)
        }
    }

    private func describeVolumes(
        _ parameters: FormParameters,
        deadline: ContinuousClock.Instant
    ) async throws(AWSError) -> [Volume] {
        try await self.client.pages(
            .describeVolumes,
            parameters,
            list: "volumeSet",
            by: .ec2,
            deadline: deadline
        ) { node throws(MalformedAnswer) in try Volume(node) }
    }
}

extension AWSOperation {
    static let describeVolumes = AWSOperation(.ec2, "DescribeVolumes", .read, rate: .ec2Describe)
    // The client token makes it repeatable.
    fileprivate static let createVolume = AWSOperation(
        .ec2,
        "CreateVolume",
        .idempotentWrite,
        rate: .ec2Mutate
    )
    fileprivate static let deleteVolume = AWSOperation(
        .ec2,
        "DeleteVolume",
        .idempotentWrite,
        rate: .ec2Mutate
    )
    fileprivate static let detachVolume = AWSOperation(
        .ec2,
        "DetachVolume",
        .idempotentWrite,
        rate: .ec2Mutate
    )
}
