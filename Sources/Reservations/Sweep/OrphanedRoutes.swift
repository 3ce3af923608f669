import AWS
import FoundationEssentials
import Jobs
import Platform
import Postgres

/// Target groups of this platform whose reservations are over, or not even known any more.
struct OrphanedRoutes: Sendable {
    /// How many target groups of the platform there are.
    let known: Int
    let reservations: [ReservationID]

    /// Those that have been taken up within the hour already.
    let tried: Set<ReservationID>

    static let none = OrphanedRoutes(known: 0, reservations: [], tried: [])

    /// Those in the VPC of the settings that nobody is at now; another installation has a VPC of its own.
    static func find(
        _ loadBalancing: ELBv2Client,
        _ settings: RouteSettings,
        at now: Date,
        in database: PostgresPool,
        deadline: ContinuousClock.Instant,
    ) async throws -> OrphanedRoutes {
        let groups = try await loadBalancing.describeTargetGroups(deadline: deadline)
            .filter { $0.name.hasPrefix(TargetGroupNames.prefix) && $0.vpcID == settings.vpcID }
        let tags = try await loadBalancing.describeTags(of: groups.map(\.id), deadline: deadline)
        let owners = tags.values.filter(\.areOfThePlatform)
            .compactMap { $0[RouteTag.reservation].flatMap { ReservationID(wire: $0) } }
        let rows = try await database.run(
            """
            SELECT DISTINCT owner FROM unnest(\(owners.map(\.description))::text[]) AS owner
            WHERE NOT EXISTS (SELECT FROM reservations r
                    WHERE r.reservation_id = owner AND r.status = ANY(\(ReservationStatus.live.texts)::text[]))
                AND NOT \(ExclusiveKey.isWanted(ExclusiveKey.reservation("owner")))
            ORDER BY owner
            """
        ).rows
        let orphans = try rows.compactMap { ReservationID(wire: try $0.read("owner")) }
        let known = try await JobID.known(
            among: orphans.map { SweepJobs.route(of: $0, at: now) },
            in: database
        )
        let tried = orphans.filter { known.contains(SweepJobs.route(of: $0, at: now)) }
        return OrphanedRoutes(known: owners.count, reservations: orphans, tried: Set(tried))
    }
}
