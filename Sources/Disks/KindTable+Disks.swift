package import AWS
package import Jobs
package import Kubernetes
package import Postgres

extension KindTable {
    /// Adds what can be done with disks; without a cluster or a bucket the kinds that need one are rejected.
    package mutating func registerDiskKinds(
        database: PostgresPool,
        ec2: EC2Client,
        s3: S3Client,
        kubernetes: KubernetesClient?,
        contentsBucket: String?,
    ) {
        self.register(CreateDisk())
        self.register(CreateSnapshot(database: database, ec2: ec2))
        self.register(ReconcileVolume(database: database, ec2: ec2))
    }
}
