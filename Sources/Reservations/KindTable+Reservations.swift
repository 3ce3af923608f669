package import AWS
package import Jobs
package import Kubernetes
package import Postgres

extension KindTable {
    /// Adds what can be done for reservations; without settings a kind is rejected with a reason that says so.
    package mutating func registerReservationKinds(
        database: PostgresPool,
        route53: Route53Client,
        loadBalancing: ELBv2Client,
        s3: S3Client,
        kubernetes: KubernetesClient?,
        contentsBucket: String?,
        dns: DNSSettings?,
        routes: RouteSettings?,
    ) {
        self.register(MapDNS(database: database, route53: route53, settings: dns))
        self.register(UnmapDNS(database: database, route53: route53, settings: dns))
        self.register(CreateTargetGroup(database: database, loadBalancing: loadBalancing, settings: routes))
        self.register(DeleteTargetGroup(database: database, loadBalancing: loadBalancing, settings: routes))
        self.register(
            TearDown(
                database: database,
                route53: route53,
                loadBalancing: loadBalancing,
                kubernetes: kubernetes,
                contents: contentsBucket.map { ContentsStore(s3: s3, bucket: $0) },
                dns: dns,
                routes: routes
            )
        )
        self.register(
            Sweep(
                database: database,
                loadBalancing: loadBalancing,
                kubernetes: kubernetes,
                routes: routes
            )
        )
    }
}
