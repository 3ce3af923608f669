import AWS
import Jobs
import Platform
import Postgres

/// `reservation.unmap-dns`: a reservation's host name is free again.
struct UnmapDNS: JobHandler {
    static let kind: JobKind = "reservation.unmap-dns"

    let database: PostgresPool
    let route53: Route53Client
    let settings: DNSSettings?

    typealias Payload = RemovalPayload

    struct Event: EventData {
        let reservation: ReservationID
        let name: HostName?
        let records: Int
        let isDryRun: Bool

        static let shape = EventShape<Event>(
            .reservation { $0.reservation.description },
            .nullable(
                "domain_name",
                "The name that is free now; null if the reservation had none."
            ) { $0.name?.description },
            .field("deleted_records", "Record sets that were deleted.") { $0.records },
            .dryRun { $0.isDryRun }
        )
    }

    func exclusiveKey(for payload: Payload) -> ExclusiveKey? { .reservation(payload.reservation) }

    func act(on job: Job<Payload>) async throws -> Success {
        guard let settings = self.settings else { throw Conclusion.leftToOthers(.hostNamesNotSetUp) }
        let isDryRun = job.isDryRun
        let removal = HostNameRemoval(
            claims: HostNameClaims(database: self.database),
            zone: HostNameZone(route53: self.route53, settings: settings, context: job.context),
            isDryRun: isDryRun
        )
        let removed = try await removal.remove(namesOf: job.payload.reservation)
        return Success(
            subject: EventSubject("reservation", job.payload.reservation.description),
            data: Event(
                reservation: job.payload.reservation,
                name: removed.name,
                records: removed.records,
                isDryRun: isDryRun
            ),
            writes: removed.writes
        )
    }
}

extension UnmapDNS {
    static let documentation = KindDocumentation(
        "Take a reservation's host name back",
        summary: "removes a reservation's host name and DNS records",
        """
        Deletes the reservation's records, exactly as they are in the zone, and then its claim to the \
        name.
        """,
        examples: [
            ["reservation_id": "6f1c2f0e-9d4e-4a7b-8d0e-2f6f3f5f8a11"]
        ],
        authority: .init(
            sentBy: "follow-up",
            canHarm: "a session's name",
            undoneBy: "`reservation.map-dns`",
            provedBy: "claim of the name; records that are such as the worker makes"
        ),
        event: .init(
            "A host name is free",
            "The data of reservation.unmap-dns.completed.",
            examples: [
                [
                    "reservation_id": "6f1c2f0e-9d4e-4a7b-8d0e-2f6f3f5f8a11",
                    "domain_name": "brave-otter",
                    "deleted_records": 2,
                    "dry_run": false,
                ]
            ]
        )
    )
}
