import AWS
import Jobs
import Postgres

/// Target groups of this platform whose reservations are over, or not even known any more.
struct OrphanedRoutes: Sendable {
    /// How many target groups of the platform there are.
    let known: Int
    let reservations: [ReservationID]

    static let none = OrphanedRoutes(known: 0, reservations: [])

    /// Those in the VPC of the settings that nobody is at now; another installation has a VPC of its own.
    static func find(
        _ loadBalancing: ELBv2Client,
        _ settings: RouteSettings,
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
                AND NOT EXISTS (SELECT FROM job_ledger l
                    WHERE l.exclusive_key = 'reservation:' || owner AND l.state IN ('running', 'waiting'))
            ORDER BY owner
            """
        ).rows
        let orphans = try rows.compactMap { ReservationID(wire: try $0.read("owner")) }
        return OrphanedRoutes(known: owners.count, reservations: orphans)
    }
}
