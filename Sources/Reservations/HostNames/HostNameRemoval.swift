import AWS
import Jobs
import Platform
import Postgres

/// Takes the host names of a reservation away: first the records, exactly as they are in the zone, then the claims.
///
/// A name is free for others only when its claim is gone, so that goes last, with the ending of the job.
struct HostNameRemoval: Sendable {
    let claims: HostNameClaims
    /// Nil where host names are not set up: then there is no zone that could have records.
    let zone: HostNameZone?
    let isDryRun: Bool

    /// What was there of the reservation's, or would be removed but for a dry run.
    struct Removed: Sendable {
        /// The oldest name, where the reservation had several.
        var name: HostName?
        var records = 0
        var writes: [Write] = []
    }

    func remove(namesOf reservation: ReservationID) async throws -> Removed {
        var removed = Removed()
        for name in try await self.claims.names(of: reservation) {
            removed.name = removed.name ?? name
            removed.records += try await self.zone?.clear(name, isDryRun: self.isDryRun).count ?? 0
            if !self.isDryRun { removed.writes.append(self.claims.removal(of: name, from: reservation)) }
        }
        return removed
    }
}
