/// The part of EC2 that disks need: volumes, snapshots and their tags.
///
/// Every call is repeated on throttling and passing failures until `deadline`, and ends early when its task is
/// cancelled. Look-ups of single volumes or snapshots through copies of one client share calls.
package struct EC2Client: Sendable {
    /// The tag by which an operation finds what it made before; its value is the id of the job.
    package static let operationTag = "gpu-dev-operation"

    let client: AWSClient
    let volumeLookups: SharedLookups<VolumeID, Volume>
    let snapshotLookups: SharedLookups<SnapshotID, Snapshot>

    /// A client that shares connections, credentials and limits with others of `client`.
    package init(_ client: AWSClient) {
        self.client = client
        self.volumeLookups = client.lookups(by: .describeVolumes)
        self.snapshotLookups = client.lookups(by: .describeSnapshots)
    }
}

extension AWSClient {
    /// Look-ups that share calls: hardly waiting for each other while there is a burst to be used, else for longer, so
    /// that the jobs of a busy worker get by with the steady allowance.
    fileprivate func lookups<ID, Item>(by operation: AWSOperation) -> SharedLookups<ID, Item> {
        SharedLookups(of: operation.label) { [pacing] in
            pacing.hasBurst(for: operation) ? .milliseconds(5) : .milliseconds(100)
        }
    }
}
