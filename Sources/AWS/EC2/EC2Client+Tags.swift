extension EC2Client {
    /// Sets tags on all of the resources, or on none; values of keys that exist are overwritten.
    ///
    /// - Parameters:
    ///   - tags: At most 50.
    ///   - resources: At most 1000 go in one request, more in several.
    ///   - deadline: When to give up.
    /// - Throws: AWS's refusal; tags of earlier requests stay.
    package func createTags<ID: ResourceIdentifier>(
        _ tags: Tags,
        on resources: [ID],
        deadline: ContinuousClock.Instant = .inThirtySeconds
    ) async throws(AWSError) {
        guard !tags.isEmpty else { return }
        for start in stride(from: 0, to: resources.count, by: 1000) {
            var parameters = FormParameters()
            let some = resources[start..<min(start + 1000, resources.count)]
            parameters.add("ResourceId", some.map(\.rawValue))
            parameters.add("Tag", tags)
            try await self.client.form(.createTags, parameters, deadline: deadline)
        }
    }

    /// Removes tags by key, whatever their values; absent ones do no harm.
    package func deleteTags<ID: ResourceIdentifier>(
        _ keys: [String],
        from resources: [ID],
        deadline: ContinuousClock.Instant = .inThirtySeconds
    ) async throws(AWSError) {
        guard !keys.isEmpty else { return }
        for start in stride(from: 0, to: resources.count, by: 1000) {
            var parameters = FormParameters()
            let some = resources[start..<min(start + 1000, resources.count)]
            parameters.add("ResourceId", some.map(\.rawValue))
            for (index, key) in keys.enumerated() { parameters.add("Tag.\(index + 1).Key", key) }
            try await self.client.form(.deleteTags, parameters, deadline: deadline)
        }
    }
}

extension AWSOperation {
    fileprivate static let createTags = AWSOperation(.ec2, "CreateTags", .idempotentWrite, rate: .ec2Mutate)
    fileprivate static let deleteTags = AWSOperation(.ec2, "DeleteTags", .idempotentWrite, rate: .ec2Mutate)
}
