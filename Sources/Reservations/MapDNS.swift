import AWS
import FoundationEssentials
import Jobs
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

    struct Payload: Decodable, Sendable {
        let reservation: ReservationID
        let preferredName: PreferredName?
        let target: HostNameClaims.Target

        init(from decoder: any Decoder) throws {
            let (reservation, preferredName, address, port, expiry) = try PayloadFields(decoder).read(
                PayloadField<ReservationID>.required("reservation_id"),
                PayloadField<PreferredName?>.optional("preferred_name"),
                PayloadField<NodeAddress>.required("node_ip"),
                PayloadField<Port>.required("node_port"),
                PayloadField<Moment>.required("expires_at")
            )
            self.reservation = reservation
            self.preferredName = preferredName
            self.target = HostNameClaims.Target(
                address: address.description,
                port: port.number,
                expiry: expiry.date
            )
        }
    }

    private struct Mapped: Encodable, Sendable {
        let reservation_id: String
        let domain_name: String
        let fqdn: String
        let expires_at: String
    }

    func exclusiveKey(for payload: Payload) -> String? { "reservation:\(payload.reservation)" }

    func act(on job: Job<Payload>) async throws -> Fate {
        guard let settings = self.settings else { return .rejected(.hostNamesNotSetUp) }
        let payload = job.payload
        if case .failure(let refusal) = try await Reservation.findLive(payload.reservation, in: self.database)
        {
            return .rejected(refusal.reason)
        }
        let zone = HostNameZone(route53: self.route53, settings: settings, context: job.context)
        guard let name = try await self.name(for: payload, in: zone) else {
            return .rejected(Reason("no-free-name", "every name that was tried is taken"))
        }
        return .success(self.success(payload, name, zone.qualified(name)))
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
            data: Mapped(
                reservation_id: payload.reservation.description,
                domain_name: name.description,
                fqdn: qualified,
                expires_at: payload.target.expiry.rfc3339
            ),
            writes: [
                claims.update(name, of: payload.reservation, payload.target), Write(update, affecting: 1),
            ]
        )
    }
}
