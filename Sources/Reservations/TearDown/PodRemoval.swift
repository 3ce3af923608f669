import FoundationEssentials
import Jobs
import Kubernetes
import Logging
import Postgres

/// Ends the pod of a reservation and removes the services that lead to it.
///
/// "Could not be read" is never "is not there": whatever Kubernetes does not say for certain is thrown.
struct PodRemoval: Sendable {
    private let kubernetes: KubernetesClient
    private let reservation: Reservation
    private let database: PostgresPool
    private let deadline: ContinuousClock.Instant
    private let logger: Logger

    private static let gracePeriod: Duration = .seconds(30)

    /// How long after its time a pod is left to its node.
    private static let nodeTimeout: TimeInterval = 600

    init(
        kubernetes: KubernetesClient,
        reservation: Reservation,
        database: PostgresPool,
        context: JobContext
    ) {
        self.kubernetes = kubernetes
        self.database = database
        self.reservation = reservation
        self.deadline = context.deadline
        self.logger = context.logger
    }

    /// What stands under the name of the reservation's pod.
    enum Sight: Sendable {
        case absent
        case ours(Pod)
        /// The pod of another reservation whose id begins alike.
        case foreign
    }

    func look() async throws -> Sight {
        let (name, namespace) = (self.reservation.pod, self.kubernetes.namespace)
        guard !self.reservation.isPodShared else { return .foreign }
        guard let pod = try await self.kubernetes.pod(name, in: namespace, deadline: self.deadline) else {
            return .absent
        }
        guard self.reservation.mayHave(pod) else {
            self.logger.warning("the pod is another reservation's", metadata: self.metadata(of: pod))
            return .foreign
        }
        return .ours(pod)
    }

    /// Removes the services, then asks for the end of the pod.
    func end(_ pod: Pod) async throws {
        try await self.removeServices()
        self.logger.notice("a pod is being deleted", metadata: self.metadata(of: pod))
        try await self.kubernetes.deletePod(pod, gracePeriod: Self.gracePeriod, deadline: self.deadline)
    }

    /// Removes a pod that should have ended, if its node is gone or has had ten minutes.
    func hasten(_ pod: Pod) async throws {
        guard let due = pod.deletionTime else { return }
        let now = try await self.database.now()
        guard due < now else { return }
        guard try await self.hasNoNode(pod) || due.addingTimeInterval(Self.nodeTimeout) < now else { return }
        self.logger.notice("a pod is being deleted by force", metadata: self.metadata(of: pod))
        try await self.kubernetes.deletePod(pod, gracePeriod: .zero, deadline: self.deadline)
    }

    /// Removes what services there are.
    func removeServices() async throws {
        for suffix in ["ssh", "jupyter", "headless"] {
            let name = "\(self.reservation.pod)-\(suffix)"
            try await self.kubernetes.deleteService(
                name,
                in: self.kubernetes.namespace,
                deadline: self.deadline
            )
        }
    }

    private func hasNoNode(_ pod: Pod) async throws(KubernetesError) -> Bool {
        guard let node = pod.nodeName else { return false }
        return try await self.kubernetes.node(node, deadline: self.deadline) == nil
    }

    private func metadata(of pod: Pod) -> Logger.Metadata {
        ["kubernetes.pod": "\(pod.name)", "kubernetes.uid": "\(pod.uid)"]
    }
}
