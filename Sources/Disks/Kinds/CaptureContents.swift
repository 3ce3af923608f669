import AWS
import FoundationEssentials
import Jobs
import Kubernetes
import Platform
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

    init(_ services: DiskServices) {
        self.database = services.database
        self.ec2 = services.ec2
        self.s3 = services.s3
        self.kubernetes = services.kubernetes
        self.bucket = services.contentsBucket
    }

    struct Payload: JobPayload {
        let user: UserID
        let disk: DiskName
        let pod: PodName
        let snapshot: SnapshotID?
        let path: MountPath

        static let shape = PayloadShape(
            Self.init,
            .owner,
            .disk,
            .required("pod_name", "The pod that has the disk."),
            .optional("snapshot_id", "A snapshot whose tag is to name the listing."),
            .optional(
                "mount_path",
                "Where the pod has the disk; /home/dev when left out.",
                default: "/home/dev"
            )
        )
    }

    struct Event: EventData {
        let user: UserID
        let disk: DiskName
        let pod: PodName
        let content: ContentURI
        let usage: DiskUsage?
        let bytes: Int
        let isTruncated: Bool
        let exitCode: Int?

        static let shape = EventShape<Event>(
            .owner { $0.user.description },
            .disk { $0.disk.description },
            .field("pod_name", "The pod's name.", as: PodName.schema) { $0.pod.description },
            .field(
                "content_s3_uri",
                "Where the listing of the disk's files lies.",
                as: ContentURI.schema
            ) { $0.content.text },
            .nullable(
                "disk_size",
                "How much of the disk is in use, as du prints it, such as 1.2G.",
                as: DiskUsage.schema
            ) { $0.usage?.text },
            .field("bytes", "The length of the listing.") { $0.bytes },
            .field(
                "is_truncated",
                "Whether the listing was cut off at its greatest length."
            ) { $0.isTruncated },
            .nullable(
                "exit_code",
                "Of the command that made it; null if none came back.",
                as: .number
            ) { $0.exitCode }
        )
    }

    /// The container of the pod that has the disk.
    private static let container = "gpu-dev"

    /// What is left of the time for storing the listing.
    private static let timeToStore: Duration = .seconds(10)

    func act(on job: Job<Payload>) async throws -> Success {
        let payload = job.payload
        guard let kubernetes, let bucket else {
            let message = "listings are not set up here: set DISK_CONTENTS_BUCKET and the way to the cluster"
            throw Conclusion.rejected(Reason("not-configured", message))
        }
        guard !payload.user.description.utf8.contains(UInt8(ascii: "/")) else {
            throw Conclusion.rejected(
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
            throw Conclusion.rejected(Reason("invalid-key", "\(object) is longer than a tag can be"))
        }
        // One that does not show yet is looked for again when the listing is there.
        if let snapshot = try await self.snapshot(of: job), let refusal = self.refusal(snapshot, payload) {
            throw Conclusion.rejected(refusal)
        }
        let listing = try await self.listing(in: kubernetes, for: job)
        return try await self.store(listing, at: object, uri, job)
    }
}

extension CaptureContents {
    private func snapshot(of job: Job<Payload>) async throws -> Snapshot? {
        guard let id = job.payload.snapshot else { return nil }
        return try await self.ec2.snapshot(id, deadline: job.context.deadline)
    }

    private func refusal(_ snapshot: Snapshot, _ payload: Payload) -> Reason? {
        let disk = DiskKey(payload.user, payload.disk)
        guard snapshot.disk != disk else { return nil }
        let message = "snapshot \(snapshot.id) is none of the disk \(disk.name) of \(disk.user) by its tags"
        return Reason("foreign-snapshot", message)
    }

    /// Nothing is executed but in the pod of the reservation that has the disk, which says whose it is.
    private func refusal(_ pod: Pod, _ payload: Payload) async throws -> Reason? {
        let rows = try await self.database.run(
            """
            SELECT r.user_id FROM disks d JOIN reservations r USING (reservation_id)
            WHERE d.user_id = \(payload.user.description) AND d.disk_name = \(payload.disk.description)
                AND coalesce(r.pod_name, 'gpu-dev-' || left(r.reservation_id, 8)) = \(payload.pod.description)
            """
        ).rows
        let holder = try rows.first?.read("user_id", as: String.self)
        guard let holder, pod.annotations[PodAnnotation.user] == holder else {
            let message =
                "pod \(payload.pod) is not of a reservation that has the disk \(payload.disk) of \(payload.user)"
            return Reason("foreign-pod", message)
        }
        return nil
    }

    private func listing(in kubernetes: KubernetesClient, for job: Job<Payload>) async throws -> Listing {
        let payload = job.payload
        let deadline = job.context.deadline - Self.timeToStore
        let pod = try await kubernetes.pod(
            payload.pod.description,
            in: kubernetes.namespace,
            deadline: deadline
        )
        guard let pod else {
            throw Conclusion.rejected(Reason("unknown-pod", "there is no pod \(payload.pod) any more"))
        }
        if let refusal = try await self.refusal(pod, payload) { throw Conclusion.rejected(refusal) }
        let result = try await self.result(of: pod, in: kubernetes, payload, deadline)
        guard let listing = Listing(result) else {
            let said = String(decoding: result.standardError.prefix(200), as: UTF8.self)
            let code = result.exitCode.map { "exit code \($0)" } ?? "no exit code"
            throw Conclusion.rejected(Reason("no-listing", "the command printed nothing (\(code)) \(said)"))
        }
        return listing
    }

    private func result(
        of pod: Pod,
        in kubernetes: KubernetesClient,
        _ payload: Payload,
        _ deadline: ContinuousClock.Instant,
    ) async throws -> ExecResult {
        do throws(KubernetesError) {
            return try await kubernetes.execute(
                Listing.command(for: payload.path),
                in: pod,
                container: Self.container,
                deadline: deadline,
                limit: Listing.limit
            )
        } catch {
            guard error.code == .deadlineExceeded else { throw error }
            let message = "the files could not be listed in time: \(error)"
            throw Conclusion.rejected(Reason("listing-timeout", message))
        }
    }

    private func store(_ listing: Listing, at object: S3Object, _ uri: ContentURI, _ job: Job<Payload>)
        async throws
        -> Success
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
        let writes = try await self.name(uri, listing.usage, job)
        return Success(
            subject: EventSubject("disk", payload.user.description, payload.disk.description),
            data: Event(
                user: payload.user,
                disk: payload.disk,
                pod: payload.pod,
                content: uri,
                usage: listing.usage,
                bytes: listing.bytes.count,
                isTruncated: listing.isTruncated,
                exitCode: listing.exitCode
            ),
            writes: writes
        )
    }

    /// Lets the snapshot's tags name the listing, if there is one to name it; the row follows its newest snapshot.
    private func name(_ uri: ContentURI, _ usage: DiskUsage?, _ job: Job<Payload>) async throws -> [Write] {
        guard let id = job.payload.snapshot else { return [] }
        let deadline = job.context.deadline
        let disk = DiskKey(job.payload.user, job.payload.disk)
        guard let snapshot = try await self.snapshot(of: job) else {
            throw Conclusion.rejected(Reason("InvalidSnapshot.NotFound", "there is no snapshot \(id)"))
        }
        if let refusal = self.refusal(snapshot, job.payload) { throw Conclusion.rejected(refusal) }
        var tags = [DiskTag.content: uri.text]
        tags[DiskTag.usage] = usage?.text
        try await self.ec2.createTags(tags, on: [id], deadline: deadline)
        guard let row = try await Disk.find(disk.user, disk.name, in: self.database) else { return [] }
        let snapshots = try await DiskSnapshots(of: disk, in: self.ec2, deadline: deadline)
        return [Write(snapshots.update(of: row))]
    }
}

extension CaptureContents {
    static let documentation = KindDocumentation(
        "List a disk's files",
        summary: "lists a disk's files in its pod and stores the listing on S3",
        "Lists the files of a disk in the running pod that has it, and stores the listing on S3.",
        examples: [
            ["user_id": "alice@example.com", "disk_name": "home", "pod_name": "gpu-dev-6f1c2f0e"]
        ],
        authority: .init(
            sentBy: "follow-up",
            canHarm: "lists a user's files to whoever reads the bucket",
            undoneBy: "delete the object",
            provedBy: """
                annotation of the pod is the user's, row: the pod's reservation has the disk; tags \
                of the snapshot
                """
        ),
        event: .init(
            "A disk's files are listed",
            "The data of disk.capture-contents.completed.",
            examples: [
                [
                    "user_id": "alice@example.com",
                    "disk_name": "home",
                    "pod_name": "gpu-dev-6f1c2f0e",
                    "content_s3_uri":
                        "s3://disk-contents/alice%40example.com/home/0b6e7ab0-1f0e-4b53-8f5d-b0d2b1f0a6b1-contents.txt",
                    "disk_size": "1.2G",
                    "bytes": 4711,
                    "is_truncated": false,
                    "exit_code": 0,
                ]
            ]
        )
    )
}
