package import AWS
package import Jobs
package import Kubernetes
package import Postgres

/// What the handler of capacity works with; without a cluster its kind is left to other replicas.
package struct CapacityServices: Sendable {
    let database: PostgresPool
    let scaling: AutoScalingClient
    let kubernetes: KubernetesClient?
    let updater: String

    /// `updater` is who is said to have counted.
    package init(
        database: PostgresPool,
        scaling: AutoScalingClient,
        kubernetes: KubernetesClient?,
        updater: String
    ) {
        self.database = database
        self.scaling = scaling
        self.kubernetes = kubernetes
        self.updater = updater
    }
}

extension KindEntry<CapacityServices> {
    /// The kinds of the family `capacity`.
    package static var capacity: [KindEntry] {
        [
            .init {
                RefreshCapacity(
                    database: $0.database,
                    scaling: $0.scaling,
                    kubernetes: $0.kubernetes,
                    updater: $0.updater
                )
            }
        ]
    }
}

extension KindTable {
    /// Adds the kinds of the family `capacity`.
    package mutating func register(_ services: CapacityServices) {
        for entry in KindEntry.capacity { entry.register(in: &self, with: services) }
    }
}
