import AWS
import FoundationEssentials
import Jobs
import Kubernetes
import Postgres

/// `capacity.refresh`: counts the GPUs of each type, and updates the positions of those who wait.
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

    struct Payload: JobPayload {
        static let shape = PayloadShape(Self.init)
    }

    struct Event: EventData {
        let types: [Availability]
        let waiting: [WaitingPod]
        let time: Date

        static let shape = EventShape<Event>(
            .field(
                "types",
                """
                One object for each active type. Of a type without GPUs the slots are counted, three for each \
                node.
                """
            ) { $0.types },
            .field("waiting_pods", "Pods that ask for GPUs and have no node, the oldest first.") {
                $0.waiting
            },
            .field("refreshed_at", "When the counts were taken.", as: .time) { $0.time.rfc3339 }
        )
    }

    func exclusiveKey(for payload: Payload) -> ExclusiveKey? { ExclusiveKey("capacity") }

    func act(on job: Job<Payload>) async throws -> Success {
        guard let kubernetes = self.kubernetes else {
            let message = "no cluster is set up here: set KUBECONFIG or EKS_CLUSTER_NAME"
            throw Conclusion.leftToOthers(Reason("not-configured", message))
        }
        let (now, deadline) = (try await self.database.now(), job.context.deadline)
        let types = try await GPUType.all(in: self.database)
        let groups = ScalingGroups(try await self.scaling.describeGroups(deadline: deadline), types: types)
        let cluster = try await Cluster.read(from: kubernetes, deadline: deadline)
        let counts = types.filter(\.isActive).map { Availability(of: $0, groups[$0], cluster.machines) }
        let queue = try await ReservationQueue.read(from: self.database)
        let positions = queue.positions(of: types.filter(\.isActive), in: cluster, now: now)
        let data = Event(types: counts, waiting: cluster.waiting, time: now)
        let writes =
            [Write(self.update(counts, at: now))] + (positions.isEmpty ? [] : [self.update(positions)])
        return Success(subject: EventSubject("capacity"), data: data, writes: writes)
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

    private func update(_ positions: [QueuePosition]) -> Write {
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

extension RefreshCapacity {
    static let documentation = KindDocumentation(
        "Count the GPUs",
        summary: "counts the GPUs of each type",
        """
        Counts the GPUs of each type, from one list of nodes, one of pods and one of scaling groups, and \
        writes all types in one transaction.
        """,
        examples: [
            [:]
        ],
        authority: .init(
            sentBy: "clock, operator",
            canHarm: "nothing: counts",
            undoneBy: "ledger",
            provedBy: "–"
        ),
        event: .init(
            "The GPUs are counted",
            "The data of capacity.refresh.completed.",
            examples: [
                [
                    "types": [
                        [
                            "gpu_type": "t4",
                            "total_cluster_gpus": 8,
                            "available_gpus": 4,
                            "max_reservable": 4,
                            "full_nodes_available": 1,
                            "running_instances": 2,
                            "desired_capacity": 2,
                            "used_gpus": 4,
                            "unavailable_gpus": 0,
                        ]
                    ],
                    "waiting_pods": [
                        [
                            "pod_name": "gpu-dev-0d9c7a52",
                            "namespace": "gpu-dev",
                            "gpu_type": "t4",
                            "gpus": 8,
                            "reason": "0/2 nodes are available: 2 Insufficient nvidia.com/gpu.",
                        ]
                    ],
                    "refreshed_at": "2026-05-01T12:00:00Z",
                ]
            ]
        )
    )
}
