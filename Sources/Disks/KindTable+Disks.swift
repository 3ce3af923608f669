package import AWS
package import Jobs
package import Kubernetes
package import Postgres

/// What the handlers of disks work with; without a cluster or a bucket the kinds that need one are left to other
/// replicas.
package struct DiskServices: Sendable {
    let database: PostgresPool
    let direct: PostgresConfiguration
    let ec2: EC2Client
    let s3: S3Client
    let kubernetes: KubernetesClient?
    let contentsBucket: String?
    let reconcileDeadline: Duration
    let retention: DiskRetention

    /// Services that lead to the same database and account.
    ///
    /// `direct` leads to the database of the pool, past any pooler. Reconciling all disks takes no longer than
    /// `reconcileDeadline`. Nothing is deleted for good sooner, or in greater numbers, than `retention` lets it.
    package init(
        database: PostgresPool,
        direct: PostgresConfiguration,
        ec2: EC2Client,
        s3: S3Client,
        kubernetes: KubernetesClient?,
        contentsBucket: String?,
        reconcileDeadline: Duration,
        retention: DiskRetention = DiskRetention(),
    ) {
        self.database = database
        self.direct = direct
        self.ec2 = ec2
        self.s3 = s3
        self.kubernetes = kubernetes
        self.contentsBucket = contentsBucket
        self.reconcileDeadline = reconcileDeadline
        self.retention = retention
    }
}

extension KindEntry<DiskServices> {
    /// The kinds of the family `disk`.
    package static var disks: [KindEntry] {
        [
            .init { _ in CreateDisk() },
            .init { CreateSnapshot(database: $0.database, ec2: $0.ec2) },
            .init { RestoreDisk(database: $0.database, ec2: $0.ec2) },
            .init { CompleteSnapshot(database: $0.database, ec2: $0.ec2) },
            .init { ReleaseDisk(database: $0.database, ec2: $0.ec2) },
            .init { RenameDisk(database: $0.database, ec2: $0.ec2) },
            .init { DeleteDisk(database: $0.database, ec2: $0.ec2, retention: $0.retention) },
            .init { UndeleteDisk(database: $0.database, ec2: $0.ec2) },
            .init { PruneSnapshots(database: $0.database, ec2: $0.ec2, retention: $0.retention) },
            .init { CaptureContents($0) },
            .init { ReconcileVolume(database: $0.database, ec2: $0.ec2) },
            .init { ReconcileAll($0) },
        ]
    }
}

extension KindTable {
    /// Adds the kinds of the family `disk`.
    package mutating func register(_ services: DiskServices) {
        Doubt.beginCounting()
        PruningTally.beginReporting()
        for entry in KindEntry.disks { entry.register(in: &self, with: services) }
    }
}
