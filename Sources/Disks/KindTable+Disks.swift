package import AWS
package import Jobs
package import Kubernetes
package import Postgres

extension KindTable {
    /// Adds what can be done with disks; without a cluster or a bucket the kinds that need one are rejected.
    ///
    /// `direct` leads to the same database as the pool, past any pooler. Reconciling all disks takes no longer than
    /// `reconcileDeadline`.
    package mutating func registerDiskKinds(
        database: PostgresPool,
        direct: PostgresConfiguration,
        ec2: EC2Client,
        s3: S3Client,
        kubernetes: KubernetesClient?,
        contentsBucket: String?,
        reconcileDeadline: Duration,
    ) {
        self.register(CreateDisk())
        self.register(CreateSnapshot(database: database, ec2: ec2))
        self.register(RestoreDisk(database: database, ec2: ec2))
        self.register(CompleteSnapshot(database: database, ec2: ec2))
        self.register(ReleaseDisk(database: database, ec2: ec2))
        self.register(DeleteDisk(database: database, ec2: ec2))
        self.register(UndeleteDisk(database: database, ec2: ec2))
        self.register(PruneSnapshots(database: database, ec2: ec2))
        self.register(
            CaptureContents(
                database: database,
                ec2: ec2,
                s3: s3,
                kubernetes: kubernetes,
                bucket: contentsBucket
            )
        )
        self.register(ReconcileVolume(database: database, ec2: ec2))
        self.register(
            ReconcileAll(database: database, direct: direct, ec2: ec2, deadline: reconcileDeadline)
        )
    }
}
