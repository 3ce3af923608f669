import FoundationEssentials
import Jobs
import Kubernetes

/// What the cluster says at one time: its machines, and the pods that wait for one.
struct Cluster: Sendable {
    let machines: [Machine]
    let waiting: [WaitingPod]
    /// Where the pods of reservations are, by their names.
    let placesOfReservations: [String: String]

    /// Reads it with one list of nodes and one of pods; a third, of events, where a pod waits and does not say why.
    static func read(
        from kubernetes: KubernetesClient,
        deadline: ContinuousClock.Instant
    ) async throws -> Cluster {
        let nodes = try await kubernetes.nodes(deadline: deadline)
        let pods = try await kubernetes.podsOfAllNamespaces(
            matching: [
                .field("status.phase", isNot: "Succeeded"), .field("status.phase", isNot: "Failed"),
            ],
            deadline: deadline
        )
        let waiting = try pods.filter(\.waitsForNode).filter { try $0.gpus() > 0 }
        let isSilent = waiting.contains { WaitingPod.reason(of: $0) == nil }
        let events =
            isSilent ? try await kubernetes.events(reason: "FailedScheduling", deadline: deadline) : []
        return try Cluster(nodes: nodes, pods: pods, waiting: waiting, events: events)
    }

    init(nodes: [Node], pods: [Pod], waiting: [Pod], events: [Event]) throws {
        let podsByNode = Dictionary(grouping: pods) { $0.nodeName ?? "" }
        self.placesOfReservations = Dictionary(
            pods.filter(\.isOfReservation).compactMap { pod in pod.nodeName.map { (pod.name, $0) } }
        ) { $1 }
        self.machines = try nodes.map { try Machine($0, pods: podsByNode[$0.name] ?? []) }
        self.waiting = try waiting.map { try WaitingPod($0, events: events) }
            .sorted { ($0.since ?? .distantPast, $0.name) < ($1.since ?? .distantPast, $1.name) }
    }
}

/// A pod that asks for GPUs and has no node.
struct WaitingPod: Sendable, Hashable {
    let name: String
    let namespace: String
    /// The type of machine that it asks for, if it does.
    let type: String?
    let gpus: Int
    let since: Date?
    /// Why it waits, as far as the scheduler has told.
    let reason: String?

    init(_ pod: Pod, events: [Event]) throws(UncountableGPUs) {
        self.name = pod.name
        self.namespace = pod.namespace
        self.type = pod.nodeSelector["GpuType"]
        self.gpus = try pod.gpus()
        self.since = pod.createTime
        let own = events.filter { $0.objectUID == pod.uid }
        let newest = own.max { ($0.time ?? .distantPast) < ($1.time ?? .distantPast) }
        self.reason = Self.reason(of: pod) ?? newest?.message
    }

    /// What the pod itself says.
    static func reason(of pod: Pod) -> String? {
        guard let condition = pod.condition("PodScheduled"), condition.status == .no,
            let message = condition.message, !message.isEmpty
        else { return nil }
        return message
    }
}

extension WaitingPod: EventData, JSONWritable {
    static let shape = EventShape<WaitingPod>(
        .field("pod_name", "The pod's name.") { $0.name },
        .field("namespace", "Its namespace.") { $0.namespace },
        .optional("gpu_type", "The type that the pod asks for, where it does.") { $0.type },
        .field("gpus", "How many it asks for.", as: .whole(atLeast: 1)) { $0.gpus },
        .optional("reason", "Why it waits, as far as the scheduler has told.") { $0.reason }
    )
}
