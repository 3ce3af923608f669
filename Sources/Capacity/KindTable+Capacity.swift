package import AWS
package import Jobs
package import Kubernetes
package import Postgres

extension KindTable {
    /// Adds the count of what can be reserved; without a cluster it is rejected with a reason that says so.
    package mutating func registerCapacityKinds(
        database: PostgresPool,
        scaling: AutoScalingClient,
        kubernetes: KubernetesClient?,
        updater: String
    ) {
        self.register(
            RefreshCapacity(database: database, scaling: scaling, kubernetes: kubernetes, updater: updater)
        )
    }
}
