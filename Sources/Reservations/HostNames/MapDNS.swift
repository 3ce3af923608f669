import AWS
import FoundationEssentials
import Jobs
import Platform
import Postgres

/// `reservation.map-dns`: a host name for a reservation, and the records that lead to it.
///
/// A reservation that has a name keeps it. The name is claimed in PostgreSQL first; records that somebody else made
/// under it are left alone, and the next name is tried.
struct MapDNS: JobHandler {
    static let kind: JobKind = "reservation.map-dns"

    let database: PostgresPool
    let route53: Route53Client
    let settings: DNSSettings?

    struct Payload: JobPayload {
        let reservation: ReservationID
        let preferredName: PreferredName?
        let target: HostNameClaims.Target

        static let shape = PayloadShape(
            Self.init,
            .reservation,
            .optional(
                "preferred_name",
                """
                The wish for a name, in any spelling; it is made a DNS label, and another one where it is \
                taken or reserved. A random one when left out.
                """
            ),
            .required("node_ip", "Address of the node that the name leads to, IPv4 or IPv6."),
            .required("node_port", "Port of the node that SSH connections go to."),
            .required("expires_at", "When the reservation ends, RFC 3339 with an offset.")
        )

        private init(
            _ reservation: ReservationID,
            _ preferredName: PreferredName?,
            _ address: NodeAddress,
            _ port: Port,
            _ expiry: Moment
        ) {
            self.reservation = reservation
            self.preferredName = preferredName
            self.target = .init(address: address.description, port: port.number, expiry: expiry.date)
        }
    }

    struct Event: EventData {
        let reservation: ReservationID
        let name: HostName
        let fqdn: String
        let expiry: Date

        static let shape = EventShape<Event>(
            .reservation { $0.reservation.description },
            .field(
                "domain_name",
                "The short host name: one DNS label in front of the platform's domain.",
                as: HostName.schema
            ) { $0.name.description },
            .field(
                "fqdn",
                "The full host name, without a dot at its end.",
                as: .text(atMost: 253, pattern: #"^[a-z0-9-]+(\.[a-z0-9-]+)+$"#)
            ) { $0.fqdn },
            .field(
                "expires_at",
                "Until when the name is the reservation's.",
                as: Moment.schema
            ) { $0.expiry.rfc3339 }
        )
    }

    func exclusiveKey(for payload: Payload) -> ExclusiveKey? { .reservation(payload.reservation) }

    func act(on job: Job<Payload>) async throws -> Success {
        guard let settings = self.settings else { throw Conclusion.leftToOthers(.hostNamesNotSetUp) }
        let payload = job.payload
        _ = try await Reservation.findLive(payload.reservation, in: self.database)
        let zone = HostNameZone(route53: self.route53, settings: settings, context: job.context)
        guard let name = try await self.name(for: payload, in: zone) else {
            throw Conclusion.rejected(Reason("no-free-name", "every name that was tried is taken"))
        }
        return self.success(payload, name, zone.qualified(name))
    }
}

extension MapDNS {
    /// The name that the reservation has, or the first that nobody else does, with its records in the zone.
    private func name(for payload: Payload, in zone: HostNameZone) async throws -> HostName? {
        let claims = HostNameClaims(database: self.database)
        let (reservation, port) = (payload.reservation, payload.target.port)
        if let name = try await claims.names(of: reservation).first(where: \.isLabel) {
            if try await !zone.isForeign(name), try await zone.lead(name, to: port) { return name }
            _ = try await zone.clear(name, isDryRun: false)
            try await claims.release(name, of: reservation)
        }
        let wish = payload.preferredName?.text
        let candidates = HostNameCandidates(wish: wish, reserved: zone.settings.reservedNames)
        for name in try await claims.free(among: Array(candidates))
        where try await claims.claim(name, for: reservation, payload.target) {
            if try await zone.isEmpty(at: name), try await zone.lead(name, to: port) { return name }
            try await claims.release(name, of: reservation)
        }
        return nil
    }

    private func success(_ payload: Payload, _ name: HostName, _ qualified: String) -> Success {
        let update: SQL = """
            UPDATE reservations SET domain_name = \(name.description), fqdn = \(qualified)
            WHERE reservation_id = \(payload.reservation.description)
            """
        let claims = HostNameClaims(database: self.database)
        return Success(
            subject: EventSubject("reservation", payload.reservation.description),
            data: Event(
                reservation: payload.reservation,
                name: name,
                fqdn: qualified,
                expiry: payload.target.expiry
            ),
            writes: [
                claims.update(name, of: payload.reservation, payload.target), Write(update, affecting: 1),
            ]
        )
    }
}

extension MapDNS {
    static let documentation = KindDocumentation(
        "Give a reservation its host name",
        summary: "gives a reservation its host name and DNS records",
        """
        Claims a host name, makes its DNS records and its row in domain_mappings. A reservation that has \
        a name keeps it and gets address, port and expiry brought up to date.
        """,
        examples: [
            [
                "reservation_id": "6f1c2f0e-9d4e-4a7b-8d0e-2f6f3f5f8a11",
                "preferred_name": "Alice's training",
                "node_ip": "10.0.1.17",
                "node_port": 30022,
                "expires_at": "2026-05-01T12:00:00Z",
            ],
            [
                "reservation_id": "6f1c2f0e-9d4e-4a7b-8d0e-2f6f3f5f8a11",
                "node_ip": "fd00::17",
                "node_port": 30022,
                "expires_at": "2026-05-01T14:00:00.5+02:00",
            ],
        ],
        authority: .init(
            sentBy: "platform",
            canHarm: "a host name leads to the balancer",
            undoneBy: "`reservation.unmap-dns`",
            provedBy: "row of the reservation, claim of the name; records of others stay"
        ),
        event: .init(
            "A reservation has its host name",
            "The data of reservation.map-dns.completed.",
            examples: [
                [
                    "reservation_id": "6f1c2f0e-9d4e-4a7b-8d0e-2f6f3f5f8a11",
                    "domain_name": "alice-training",
                    "fqdn": "alice-training.devservers.example",
                    "expires_at": "2026-05-01T12:00:00Z",
                ]
            ]
        )
    )
}
