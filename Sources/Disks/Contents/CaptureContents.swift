import AWS
import FoundationEssentials
import Jobs
import Kubernetes
import Postgres

/// `disk.capture-contents`: lists the files of a disk in the pod that has it, and stores the listing on S3.
///
/// A listing that cannot be had leaves no object: nobody shall take an apology for the files.
struct CaptureContents: JobHandler {
    static let kind: JobKind = "disk.capture-contents"

    let database: PostgresPool
    let ec2: EC2Client
    let s3: S3Client
    let kubernetes: KubernetesClient?
    let bucket: String?

    struct Payload: Decodable, Sendable {
        let user: UserID
        let disk: DiskName
        let pod: PodName
        let snapshot: SnapshotID?
        let path: MountPath

        init(from decoder: any Decoder) throws {
            let (user, disk, pod, snapshot, path) = try PayloadFields(decoder).read(
                PayloadField<UserID>.required("user_id"),
                PayloadField<DiskName>.required("disk_name"),
                PayloadField<PodName>.required("pod_name"),
                PayloadField<SnapshotID?>.optional("snapshot_id"),
                PayloadField<MountPath?>.optional("mount_path")
            )
            self.user = user
            self.disk = disk
            self.pod = pod
            self.snapshot = snapshot
            self.path = path ?? .usual
        }
    }

    private struct Captured: Encodable, Sendable {
        let user_id: String
        let disk_name: String
        let pod_name: String
        let content_s3_uri: String
        let disk_size: Nullable<String>
        let bytes: Int
        let is_truncated: Bool
        let exit_code: Nullable<Int>
    }

    /// The container of the pod that has the disk.
    private static let container = "gpu-dev"

    /// What is left of the time for storing the listing.
    private static let timeToStore: Duration = .seconds(10)

    func act(on job: Job<Payload>) async throws -> Fate {
        let payload = job.payload
        guard let kubernetes, let bucket else {
            let message = "listings are not set up here: set DISK_CONTENTS_BUCKET and the way to the cluster"
            return .rejected(Reason("not-configured", message))
        }
        guard !payload.user.description.utf8.contains(UInt8(ascii: "/")) else {
            return .rejected(
                Reason("invalid-key", "a user whose id has a slash in it has no place in the bucket")
            )
        }
        let key = ListingKey.segments(
            user: payload.user.description,
            disk: payload.disk.description,
            origin: payload.snapshot?.rawValue ?? job.id.description
        )
        let object = S3Object(bucket: bucket, segments: key)
        guard let uri = ContentURI(wire: object.description) else {
            return .rejected(Reason("invalid-key", "\(object) is longer than a tag can be"))
        }
        switch try await self.listing(in: kubernetes, for: job) {
        case .over(let fate): return fate
        case .done(let listing): return try await self.store(listing, at: object, uri, job)
        }
    }
}

extension CaptureContents {
    private func listing(in kubernetes: KubernetesClient, for job: Job<Payload>) async throws -> Step<Listing>
    {
        let payload = job.payload
        let deadline = job.context.deadline - Self.timeToStore
        let pod = try await kubernetes.pod(
            payload.pod.description,
            in: kubernetes.namespace,
            deadline: deadline
        )
        guard let pod else {
            return .over(.rejected(Reason("unknown-pod", "there is no pod \(payload.pod) any more")))
        }
        do throws(KubernetesError) {
            let result = try await kubernetes.execute(
                Listing.command(for: payload.path),
                in: pod,
                container: Self.container,
                deadline: deadline,
                limit: Listing.limit
            )
            if let listing = Listing(result) { return .done(listing) }
            let said = String(decoding: result.standardError.prefix(200), as: UTF8.self)
            let code = result.exitCode.map { "exit code \($0)" } ?? "no exit code"
            return .over(.rejected(Reason("no-listing", "the command printed nothing (\(code)) \(said)")))
        } catch {
            guard error.code == .deadlineExceeded else { throw error }
            return .over(
                .rejected(Reason("listing-timeout", "the files could not be listed in time: \(error)"))
            )
        }
    }

    private func store(_ listing: Listing, at object: S3Object, _ uri: ContentURI, _ job: Job<Payload>)
        async throws
        -> Fate
    {
        let payload = job.payload
        var metadata = [
            "user_id": payload.user.description, "disk_name": payload.disk.description,
            "pod_name": payload.pod.description,
            "capture_time": String(Int(Date().timeIntervalSince1970)),
        ]
        metadata["snapshot_id"] = payload.snapshot?.rawValue
        metadata["disk_size"] = listing.usage?.text
        try await self.s3.putObject(
            object,
            body: listing.bytes,
            contentType: "text/plain",
            metadata: metadata,
            deadline: job.context.deadline
        )
        let writes: [Write]
        switch try await self.name(uri, listing.usage, job) {
        case .over(let fate): return fate
        case .done(let found): writes = found
        }
        return .success(
            Success(
                subject: EventSubject("disk", payload.user.description, payload.disk.description),
                data: Captured(
                    user_id: payload.user.description,
                    disk_name: payload.disk.description,
                    pod_name: payload.pod.description,
                    content_s3_uri: uri.text,
                    disk_size: Nullable(listing.usage?.text),
                    bytes: listing.bytes.count,
                    is_truncated: listing.isTruncated,
                    exit_code: Nullable(listing.exitCode)
                ),
                writes: writes
            )
        )
    }

    /// Lets the snapshot's tags name the listing, if there is one to name it; the row follows its newest snapshot.
    private func name(_ uri: ContentURI, _ usage: DiskUsage?, _ job: Job<Payload>) async throws -> Step<
        [Write]
    > {
        guard let id = job.payload.snapshot else { return .done([]) }
        let deadline = job.context.deadline
        let disk = DiskKey(job.payload.user, job.payload.disk)
        guard let snapshot = try await self.ec2.snapshot(id, deadline: deadline) else {
            return .over(.rejected(Reason("InvalidSnapshot.NotFound", "there is no snapshot \(id)")))
        }
        guard snapshot.disk == disk else {
            let message = "snapshot \(id) is none of the disk \(disk.name) of \(disk.user) by its tags"
            return .over(.rejected(Reason("foreign-snapshot", message)))
        }
        var tags = [DiskTag.content: uri.text]
        tags[DiskTag.usage] = usage?.text
        try await self.ec2.createTags(tags, on: [id], deadline: deadline)
        guard let row = try await Disk.find(disk.user, disk.name, in: self.database) else { return .done([]) }
        let snapshots = try await DiskSnapshots(of: disk, in: self.ec2, deadline: deadline)
        return .done([Write(snapshots.update(of: row))])
    }
}
