package import AWS
package import Jobs
package import Kubernetes
package import Postgres

/// What the handlers of reservations work with; without settings a kind is left to other replicas.
package struct ReservationServices: Sendable {
    let database: PostgresPool
    let route53: Route53Client
    let loadBalancing: ELBv2Client
    let s3: S3Client
    let kubernetes: KubernetesClient?
    let contentsBucket: String?
    let dns: DNSSettings?
    let routes: RouteSettings?

    package init(
        database: PostgresPool,
        route53: Route53Client,
        loadBalancing: ELBv2Client,
        s3: S3Client,
        kubernetes: KubernetesClient?,
        contentsBucket: String?,
        dns: DNSSettings?,
        routes: RouteSettings?,
    ) {
        self.database = database
        self.route53 = route53
        self.loadBalancing = loadBalancing
        self.s3 = s3
        self.kubernetes = kubernetes
        self.contentsBucket = contentsBucket
        self.dns = dns
        self.routes = routes
    }
}

extension KindEntry<ReservationServices> {
    /// The kinds of the family `reservation`.
    package static var reservations: [KindEntry] {
        [
            .init { MapDNS(database: $0.database, route53: $0.route53, settings: $0.dns) },
            .init { UnmapDNS(database: $0.database, route53: $0.route53, settings: $0.dns) },
            .init { CreateTargetGroup($0) },
            .init {
                DeleteTargetGroup(database: $0.database, loadBalancing: $0.loadBalancing, settings: $0.routes)
            },
            .init { ExtendReservation(database: $0.database) },
            .init { TearDown($0) },
            .init { Sweep($0) },
        ]
    }
}

extension KindTable {
    /// Adds the kinds of the family `reservation`.
    package mutating func register(_ services: ReservationServices) {
        SweepClass.beginCounting()
        for entry in KindEntry.reservations { entry.register(in: &self, with: services) }
    }
}
