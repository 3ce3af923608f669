import AWS
import FoundationEssentials
import Jobs
import Kubernetes
import Logging
import Postgres

/// `reservation.tear-down`: ends a reservation and removes what it had.
///
/// Host name, route, listing of the disk, services, pod, in this order; each try looks at what is there and goes on
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

    struct Payload: Decodable, DryRunPayload {
        let reservation: ReservationID
        let end: ReservationEnd
        let user: UserID?
        let reason: EndReason?
        let isDryRun: Bool

        init(from decoder: any Decoder) throws {
            let (reservation, end, user, reason, isDryRun) = try PayloadFields(decoder).read(
                PayloadField<ReservationID>.required("reservation_id"),
                PayloadField<ReservationEnd>.required("status"),
                PayloadField<UserID?>.optional("user_id"),
                PayloadField<EndReason?>.optional("reason"),
                PayloadField<Switch?>.optional("dry_run")
            )
            self.reservation = reservation
            self.end = end
            self.user = user
            self.reason = reason
            self.isDryRun = isDryRun?.isOn ?? false
        }
    }

    private struct Ended: Encodable, Sendable {
        let reservation_id: String
        let status: String
        let domain_name: Nullable<String>
        let target_group_arn: Nullable<String>
        let pod_name: Nullable<String>
        let content_s3_uri: Nullable<String>
        let release_job_id: Nullable<String>
        let dry_run: Bool
    }

    func exclusiveKey(for payload: Payload) -> String? { "reservation:\(payload.reservation)" }

    func act(on job: Job<Payload>) async throws -> Fate {
        let payload = job.payload
        guard let found = try await Reservation.find(payload.reservation, in: self.database) else {
            return .rejected(Refusal.unknownReservation(payload.reservation).reason)
        }
        if let refusal = self.refusal(found, payload) { return .rejected(refusal) }
        if job.isDryRun { return try await self.rehearse(found, job) }
        guard
            let reservation = try await found.ended(
                as: payload.end,
                because: payload.reason?.text,
                in: self.database
            )
        else { return .rejected(Refusal.unknownReservation(payload.reservation).reason) }
        let disk = try await HeldDisk.find(reservation.id, in: self.database)
        let listing = self.listing(of: disk, job)
        switch try await self.remains(of: reservation, listing, job, isDryRun: false).remove() {
        case .waiting(let pause, let reason): return .snooze(pause, reason)
        case .removed(let removed):
            let stored = try await listing?.stored(deadline: job.context.deadline, logger: job.context.logger)
            return .success(try self.success(reservation, removed, disk, stored, job))
        }
    }
}

extension TearDown {
    private func refusal(_ reservation: Reservation, _ payload: Payload) -> Reason? {
        if let user = payload.user, user.description != reservation.user {
            return Reason("foreign-reservation", "reservation \(reservation.id) is not \(user)'s")
        }
        if self.kubernetes == nil, reservation.hasPod {
            let message = "the reservation has a pod, and there is no way to Kubernetes here"
            return Reason("not-configured", message)
        }
        return nil
    }

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
                PodRemoval(kubernetes: $0, reservation: reservation, context: job.context)
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
    private func rehearse(_ reservation: Reservation, _ job: Job<Payload>) async throws -> Fate {
        let disk = try await HeldDisk.find(reservation.id, in: self.database)
        let remains = self.remains(of: reservation, nil, job, isDryRun: true)
        let (removed, pod) = try await remains.survey()
        let status = reservation.status.hasEnded ? reservation.status : job.payload.end.status
        let ended = self.ended(reservation, status, removed, pod: pod, disk, nil, job, isDryRun: true)
        return .success(Success(subject: reservation.subject, data: ended))
    }

    private func ended(
        _ reservation: Reservation,
        _ status: ReservationStatus,
        _ removed: Remains.Removed?,
        pod: String?,
        _ disk: HeldDisk?,
        _ listing: ContentsListing.Stored?,
        _ job: Job<Payload>,
        isDryRun: Bool = false,
    ) -> Ended {
        let release = disk.map { $0.release ?? job.id.derived(for: "release").uuid }
        return Ended(
            reservation_id: reservation.id.description,
            status: status.rawValue,
            domain_name: Nullable(removed?.names.name?.description),
            target_group_arn: Nullable(removed?.route.group?.rawValue),
            pod_name: Nullable(pod),
            content_s3_uri: Nullable(listing?.uri),
            release_job_id: Nullable(release?.uuidString.lowercased()),
            dry_run: isDryRun
        )
    }
}
