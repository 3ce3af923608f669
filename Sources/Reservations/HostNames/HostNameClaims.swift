import FoundationEssentials
import Jobs
import Platform
import Postgres

/// Who has which host name: the rows of `domain_mappings`.
///
/// A name is claimed in PostgreSQL before anything is done in DNS, so that two reservations never want the same at
/// once, and it is free again only when its row is gone: as long as there is one its records may be there.
struct HostNameClaims: Sendable {
    let database: PostgresPool

    /// Where a name leads and how long.
    struct Target: Sendable {
        let address: String
        let port: Int
        let expiry: Date
    }

    /// All names of a reservation, oldest first; also such as older programs gave it, with `_` in them.
    func names(of reservation: ReservationID) async throws -> [HostName] {
        let rows = try await self.database.run(
            """
            SELECT domain_name FROM domain_mappings WHERE reservation_id = \(reservation.description)
            ORDER BY created_at, domain_name
            """
        ).rows
        return try rows.map { HostName(recorded: try $0.read("domain_name")) }
    }

    /// Those of `names` that nobody has, in their order.
    func free(among names: [HostName]) async throws -> [HostName] {
        let rows = try await self.database.run(
            "SELECT domain_name FROM domain_mappings WHERE domain_name = ANY(\(names.map(\.description))::text[])"
        ).rows
        let taken = try Set(rows.map { try $0.read("domain_name", as: String.self) })
        return names.filter { !taken.contains($0.description) }
    }

    /// Takes the name; false if somebody has it.
    func claim(_ name: HostName, for reservation: ReservationID, _ target: Target) async throws -> Bool {
        let result = try await self.database.run(
            """
            INSERT INTO domain_mappings (domain_name, node_ip, node_port, reservation_id, expires_at)
            VALUES (\(name.description), \(target.address), \(target.port), \(reservation.description),
                \(target.expiry))
            ON CONFLICT (domain_name) DO NOTHING
            """
        )
        return result.affectedRows == 1
    }

    /// Gives up a name for which nothing is there in DNS.
    func release(_ name: HostName, of reservation: ReservationID) async throws {
        _ = try await self.database.run(self.removal(of: name, from: reservation).sql)
    }

    /// Makes the name free, unless it is another reservation's.
    func removal(of name: HostName, from reservation: ReservationID) -> Write {
        Write(
            """
            DELETE FROM domain_mappings
            WHERE domain_name = \(name.description) AND reservation_id = \(reservation.description)
            """
        )
    }

    /// Brings the row up to date, if the reservation still has the name.
    func update(_ name: HostName, of reservation: ReservationID, _ target: Target) -> Write {
        Write(
            """
            UPDATE domain_mappings SET node_ip = \(target.address), node_port = \(target.port),
                expires_at = \(target.expiry)
            WHERE domain_name = \(name.description) AND reservation_id = \(reservation.description)
            """,
            affecting: 1
        )
    }
}
