import AWS

extension EC2Client {
    /// The volumes of these ids that exist, whatever their tags.
    ///
    /// By a filter, which leaves out what does not exist: naming it would fail the whole call.
    func describeVolumes(
        existing ids: [VolumeID],
        deadline: ContinuousClock.Instant
    ) async throws(AWSError) -> [Volume] {
        var volumes: [Volume] = []
        for some in ids.inChunks(of: Filter.mostValues) {
            volumes += try await self.describeVolumes(matching: [.volumes(some)], deadline: deadline)
        }
        return volumes
    }
}
