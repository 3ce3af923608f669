package import AWS
package import Jobs
package import Postgres

extension KindTable {
    /// Adds what can be done with disks.
    package mutating func registerDiskKinds(database: PostgresPool, ec2: EC2Client) {
        self.register(CreateDisk())
        self.register(CreateSnapshot(database: database, ec2: ec2))
        self.register(ReconcileVolume(database: database, ec2: ec2))
    }
}
