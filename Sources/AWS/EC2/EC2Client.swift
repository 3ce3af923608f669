/// The part of EC2 that disks need: volumes, snapshots and their tags.
///
/// Every call is repeated on throttling and passing failures until `deadline`, and ends early when its task is
/// cancelled. Look-ups of single volumes or snapshots through copies of one client share calls.
package struct EC2Client: Sendable {
    /// The tag by which an operation finds what it made before; its value is the id of the job.
    package static let operationTag = "gpu-dev-operation"

    let client: AWSClient
    let volumeLookups = SharedLookups<VolumeID, Volume>(of: AWSOperation.describeVolumes.label)
    let snapshotLookups = SharedLookups<SnapshotID, Snapshot>(of: AWSOperation.describeSnapshots.label)

    /// A client that shares connections, credentials and limits with others of `client`.
    package init(_ client: AWSClient) {
        self.client = client
    }
}
