import AWS
import FoundationEssentials
import Jobs
import Kubernetes
import Logging
import Platform
import Postgres

/// `reservation.tear-down`: ends a reservation and removes what it had.
///
/// Host name, route, listing of the disk, services, pod, in this order; each attempt looks at what is there and goes on
/// from that, so that it does not matter where an earlier one stopped. What has to be waited for is waited for by
/// coming back. The disk is released by a job of its own, which this one enqueues.
struct TearDown: JobHandler {
    static let kind: JobKind = "reservation.tear-down"

    let database: PostgresPool
    let route53: Route53Client
    let loadBalancing: ELBv2Client
    let kubernetes: KubernetesClient?
    let contents: ContentsStore?
    let dns: DNSSettings?
    let routes: RouteSettings?

    init(_ services: ReservationServices) {
        self.database = services.database
        self.route53 = services.route53
        self.loadBalancing = services.loadBalancing
        self.kubernetes = services.kubernetes
        self.contents = services.contentsBucket.map { ContentsStore(s3: services.s3, bucket: $0) }
        self.dns = services.dns
        self.routes = services.routes
    }

    struct Payload: DryRunPayload {
        let reservation: ReservationID
        let end: ReservationEnd
        let user: UserID?
        let reason: EndReason?
        let isDryRun: Bool

        static let shape = PayloadShape(
            Self.init,
            .reservation,
            .required("status", "The end state."),
            .optional("user_id", "Whose reservation it must be, where a user asks."),
            .optional("reason", "Why, for people; becomes failure_reason when the state is failed."),
            .dryRun
        )
    }

    struct Event: EventData {
        let reservation: ReservationID
        let status: ReservationStatus
        let name: String?
        let targetGroup: ResourceARN?
        let pod: String?
        let content: String?
        let release: UUID?
        let isDryRun: Bool

        static let shape = EventShape<Event>(
            .reservation { $0.reservation.description },
            .field(
                "status",
                "The state that the reservation is in.",
                as: ReservationEnd.schema
            ) { $0.status.rawValue },
            .nullable("domain_name", "The host name that is free now; null if it had none.") { $0.name },
            .nullable(
                "target_group_arn",
                "The target group that is gone; null if it had none.",
                as: .arn
            ) { $0.targetGroup?.rawValue },
            .nullable("pod_name", "The pod that is gone; null if it had none.", as: PodName.schema) {
                $0.pod
            },
            .nullable(
                "content_s3_uri",
                "Where the listing of the disk's files lies.",
                as: ContentURI.schema
            ) { $0.content },
            .nullable(
                "release_job_id",
                "The disk.release that frees its disk; null if it holds none.",
                as: .text(format: "uuid")
            ) { $0.release?.text },
            .dryRun { $0.isDryRun }
        )
    }

    func exclusiveKey(for payload: Payload) -> ExclusiveKey? { .reservation(payload.reservation) }

    func act(on job: Job<Payload>) async throws -> Success {
        let payload = job.payload
        guard let found = try await Reservation.find(payload.reservation, in: self.database) else {
            throw Conclusion.rejected(.unknownReservation(payload.reservation))
        }
        try found.check(isOf: payload.user)
        if self.kubernetes == nil, found.hasPod {
            let message = "the reservation has a pod, and there is no way to Kubernetes here"
            throw Conclusion.leftToOthers(Reason("not-configured", message))
        }
        if job.isDryRun { return try await self.rehearse(found, job) }
        guard
            let reservation = try await found.ended(
                as: payload.end,
                because: payload.reason?.text,
                in: self.database
            )
        else { throw Conclusion.rejected(.unknownReservation(payload.reservation)) }
        let disk = try await HeldDisk.find(reservation.id, in: self.database)
        let listing = self.listing(of: disk, job)
        let removed = try await self.remains(of: reservation, listing, job, isDryRun: false).remove()
        let stored = try await listing?.stored(deadline: job.context.deadline, logger: job.context.logger)
        return try self.success(reservation, removed, disk, stored, job)
    }
}

extension TearDown {
    private func remains(
        of reservation: Reservation,
        _ listing: ContentsListing?,
        _ job: Job<Payload>,
        isDryRun: Bool,
    ) -> Remains {
        Remains(
            reservation: reservation.id,
            names: HostNameRemoval(
                claims: HostNameClaims(database: self.database),
                zone: self.dns.map {
                    HostNameZone(route53: self.route53, settings: $0, context: job.context.halved)
                },
                isDryRun: isDryRun
            ),
            routes: RouteRemoval(
                database: self.database,
                loadBalancing: self.loadBalancing,
                settings: self.routes,
                isDryRun: isDryRun,
                context: job.context.halved
            ),
            pods: self.kubernetes.map {
                PodRemoval(
                    kubernetes: $0,
                    reservation: reservation,
                    database: self.database,
                    context: job.context
                )
            },
            listing: listing
        )
    }

    private func listing(of disk: HeldDisk?, _ job: Job<Payload>) -> ContentsListing? {
        guard let disk, let store = self.contents else { return nil }
        return ContentsListing(of: disk, id: job.id.derived(for: "contents"), store: store, in: self.database)
    }
}

extension TearDown {
    private struct Release: Encodable {
        let user_id: String
        let disk_name: String
        let reservation_id: String
        let snapshot_type: String
        let content_s3_uri: String?
        let disk_size: String?
    }

    private func success(
        _ reservation: Reservation,
        _ removed: Remains.Removed,
        _ disk: HeldDisk?,
        _ listing: ContentsListing.Stored?,
        _ job: Job<Payload>,
    ) throws -> Success {
        var writes = removed.writes
        if let disk, disk.release == nil {
            let release = Release(
                user_id: disk.user,
                disk_name: disk.name,
                reservation_id: reservation.id.description,
                snapshot_type: reservation.status == .cancelled ? "cancellation" : "shutdown",
                content_s3_uri: listing?.uri,
                disk_size: listing?.usage
            )
            writes.append(try .enqueue("disk.release", release, id: job.id.derived(for: "release")))
        }
        writes.append(
            try .enqueue("capacity.refresh", [String: String](), id: job.id.derived(for: "capacity"))
        )
        let ended = self.ended(
            reservation,
            reservation.status,
            removed,
            pod: reservation.hasPod ? reservation.pod : nil,
            disk,
            listing,
            job
        )
        return Success(subject: reservation.subject, data: ended, writes: writes)
    }

    /// Tells what would be done.
    private func rehearse(_ reservation: Reservation, _ job: Job<Payload>) async throws -> Success {
        let disk = try await HeldDisk.find(reservation.id, in: self.database)
        let remains = self.remains(of: reservation, nil, job, isDryRun: true)
        let (removed, pod) = try await remains.survey()
        let status = reservation.status.hasEnded ? reservation.status : job.payload.end.status
        let ended = self.ended(reservation, status, removed, pod: pod, disk, nil, job, isDryRun: true)
        return Success(subject: reservation.subject, data: ended)
    }

    private func ended(
        _ reservation: Reservation,
        _ status: ReservationStatus,
        _ removed: Remains.Removed,
        pod: String?,
        _ disk: HeldDisk?,
        _ listing: ContentsListing.Stored?,
        _ job: Job<Payload>,
        isDryRun: Bool = false,
    ) -> Event {
        let release = disk.map { $0.release ?? job.id.derived(for: "release").uuid }
        return Event(
            reservation: reservation.id,
            status: status,
            name: removed.names.name?.description,
            targetGroup: removed.route.group,
            pod: pod,
            content: listing?.uri,
            release: release,
            isDryRun: isDryRun
        )
    }
}

extension TearDown {
    static let documentation = KindDocumentation(
        "End a reservation",
        summary:
            "ends a reservation: host name, route, listing of its disk, services, pod, and a `disk.release`",
        """
        Brings the reservation to its end state and removes what it had: host name, route, services, pod. \
        Its disk is released by a disk.release of its own. Each step that is done already is passed over.
        """,
        examples: [
            [
                "reservation_id": "6f1c2f0e-9d4e-4a7b-8d0e-2f6f3f5f8a11",
                "status": "cancelled",
                "user_id": "alice@example.com",
            ]
        ],
        authority: .init(
            sentBy: "platform",
            canHarm: "a running pod and all that is not on the disk",
            undoneBy: "not",
            provedBy: "row of the reservation; `user_id` where it is given; uid of the pod"
        ),
        event: .init(
            "A reservation has ended",
            "The data of reservation.tear-down.completed.",
            examples: [
                [
                    "reservation_id": "6f1c2f0e-9d4e-4a7b-8d0e-2f6f3f5f8a11",
                    "status": "cancelled",
                    "domain_name": "brave-otter",
                    "target_group_arn": nil,
                    "pod_name": "gpu-dev-6f1c2f0e",
                    "content_s3_uri": nil,
                    "release_job_id": "0b6e7ab0-1f0e-4b53-8f5d-b0d2b1f0a6b1",
                    "dry_run": false,
                ]
            ]
        )
    )
}
