/// What a new volume is to be like.
package struct VolumeSettings: Sendable, Hashable {
    package var availabilityZone: String
    /// GiB; at least the size of the snapshot.
    package var size: Int
    /// The snapshot to fill it from; nil for an empty volume.
    package var snapshotID: SnapshotID?
    package var type: String
    package var iops: Int?
    /// MiB/s.
    package var throughput: Int?

    /// A gp3 volume with its base performance unless said otherwise.
    package init(
        availabilityZone: String,
        size: Int,
        snapshotID: SnapshotID? = nil,
        type: String = "gp3",
        iops: Int? = 3000,
        throughput: Int? = 125
    ) {
        self.availabilityZone = availabilityZone
        self.size = size
        self.snapshotID = snapshotID
        self.type = type
        self.iops = iops
        self.throughput = throughput
    }
}
