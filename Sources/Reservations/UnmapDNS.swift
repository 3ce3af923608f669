import AWS
import Jobs
import Postgres

/// `reservation.unmap-dns`: a reservation's host name is free again.
struct UnmapDNS: JobHandler {
    static let kind: JobKind = "reservation.unmap-dns"

    let database: PostgresPool
    let route53: Route53Client
    let settings: DNSSettings?

    typealias Payload = RemovalPayload

    private struct Unmapped: Encodable, Sendable {
        let reservation_id: String
        let domain_name: Nullable<String>
        let deleted_records: Int
        let dry_run: Bool
    }

    func exclusiveKey(for payload: Payload) -> String? { "reservation:\(payload.reservation)" }

    func act(on job: Job<Payload>) async throws -> Fate {
        guard let settings = self.settings else { return .rejected(.hostNamesNotSetUp) }
        let isDryRun = job.isDryRun
        let removal = HostNameRemoval(
            claims: HostNameClaims(database: self.database),
            zone: HostNameZone(route53: self.route53, settings: settings, context: job.context),
            isDryRun: isDryRun
        )
        let removed = try await removal.remove(namesOf: job.payload.reservation)
        return .success(
            Success(
                subject: EventSubject("reservation", job.payload.reservation.description),
                data: Unmapped(
                    reservation_id: job.payload.reservation.description,
                    domain_name: Nullable(removed.name?.description),
                    deleted_records: removed.records,
                    dry_run: isDryRun
                ),
                writes: removed.writes
            )
        )
    }
}
