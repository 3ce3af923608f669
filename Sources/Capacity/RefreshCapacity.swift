import AWS
import FoundationEssentials
import Jobs
import Kubernetes
import Postgres

/// `capacity.refresh`: counts the GPUs of each type, and tells those who wait where they stand.
///
/// If anything cannot be read nothing is written: the old numbers, whose age can be seen, are better than half of the
/// new ones.
struct RefreshCapacity: JobHandler {
    static let kind: JobKind = "capacity.refresh"

    let database: PostgresPool
    let scaling: AutoScalingClient
    let kubernetes: KubernetesClient?
    /// Who is said to have counted.
    let updater: String

    struct Payload: Decodable, Sendable {
        init(from decoder: any Decoder) throws { _ = try PayloadFields(decoder) }
    }

    private struct Refreshed: Encodable, Sendable {
        struct Waiting: Encodable, Sendable {
            let pod_name: String
            let namespace: String
            let gpu_type: String?
            let gpus: Int
            let reason: String?
        }

        let types: [Availability]
        let waiting_pods: [Waiting]
        let refreshed_at: String
    }

    func exclusiveKey(for payload: Payload) -> String? { "capacity" }

    func act(on job: Job<Payload>) async throws -> Fate {
        guard let kubernetes = self.kubernetes else {
            let message = "no cluster is set up here: set KUBECONFIG or EKS_CLUSTER_NAME"
            return .rejected(Reason("not-configured", message))
        }
        let (now, deadline) = (Date(), job.context.deadline)
        let types = try await GPUType.all(in: self.database)
        let groups = ScalingGroups(try await self.scaling.describeGroups(deadline: deadline), types: types)
        let cluster = try await Cluster.read(from: kubernetes, deadline: deadline)
        let counts = types.filter(\.isActive).map { Availability(of: $0, groups[$0], cluster.machines) }
        let queue = try await ReservationQueue.read(from: self.database)
        let positions = queue.positions(of: types.filter(\.isActive), in: cluster, now: now)
        let data = Refreshed(
            types: counts,
            waiting_pods: cluster.waiting.map {
                Refreshed.Waiting(
                    pod_name: $0.name,
                    namespace: $0.namespace,
                    gpu_type: $0.type,
                    gpus: $0.gpus,
                    reason: $0.reason
                )
            },
            refreshed_at: now.rfc3339
        )
        let writes = [Write(self.update(counts, at: now))] + (positions.isEmpty ? [] : [self.tell(positions)])
        return .success(Success(subject: EventSubject("capacity"), data: data, writes: writes))
    }

    /// All types in one statement, and so at one time.
    private func update(_ counts: [Availability], at now: Date) -> SQL {
        """
        UPDATE gpu_types g SET total_cluster_gpus = c.total, available_gpus = c.available,
            max_reservable = c.reservable, full_nodes_available = c.full_nodes, running_instances = c.running,
            desired_capacity = c.desired, last_availability_update = \(now),
            last_availability_updated_by = \(String(self.updater.prefix(100)))
        FROM unnest(\(counts.map(\.gpu_type))::text[], \(counts.map(\.total_cluster_gpus))::int[],
            \(counts.map(\.available_gpus))::int[], \(counts.map(\.max_reservable))::int[],
            \(counts.map(\.full_nodes_available))::int[], \(counts.map(\.running_instances))::int[],
            \(counts.map(\.desired_capacity))::int[])
            AS c (gpu_type, total, available, reservable, full_nodes, running, desired)
        WHERE g.gpu_type = c.gpu_type
        """
    }

    private func tell(_ positions: [QueuePosition]) -> Write {
        Write(
            """
            UPDATE reservations r SET current_detailed_status = p.text
            FROM unnest(\(positions.map(\.reservation))::text[], \(positions.map(\.text))::text[]) AS p (id, text)
            WHERE r.reservation_id = p.id AND r.status = 'queued'
                AND r.current_detailed_status IS DISTINCT FROM p.text
            """
        )
    }
}
