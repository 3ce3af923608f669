import Kubernetes

/// A node with what its pods take of it.
struct Machine: Sendable, Hashable {
    let name: String
    /// The type that its label names.
    let type: String?
    let instanceType: String?
    /// Whether pods without special leave are sent there now.
    let isSchedulable: Bool
    /// GPUs that it has, that it offers, and that its pods have asked for.
    let capacity: Int
    let allocatable: Int
    let used: Int
    /// Reservations on it.
    let reservations: Int

    /// GPUs that a pod could get now.
    var available: Int { self.isSchedulable ? max(0, self.allocatable - self.used) : 0 }

    /// Whether nobody uses any of its GPUs.
    var isFree: Bool { self.allocatable > 0 && self.available == self.allocatable }

    /// Slots for reservations that want no GPU.
    static let slots = 3

    /// Slots that a reservation could get now.
    var availableSlots: Int { self.isSchedulable ? max(0, Self.slots - self.reservations) : 0 }
}

extension Machine {
    /// A node with its pods, those that have ended left out.
    init(_ node: Node, pods: [Pod]) throws(UncountableGPUs) {
        guard let capacity = node.capacity.gpus.whole, let allocatable = node.allocatable.gpus.whole else {
            throw UncountableGPUs(owner: "node \(node.name)")
        }
        var used = 0
        for pod in pods { used += try pod.gpus() }
        self.name = node.name
        self.type = node.labels["GpuType"]
        self.instanceType = node.labels["node.kubernetes.io/instance-type"]
        self.isSchedulable = node.isSchedulable
        self.capacity = capacity
        self.allocatable = allocatable
        self.used = used
        self.reservations = pods.count { $0.isOfReservation }
    }

    /// Whether it is one of this type: by its label, else, where it is one of the CPU workers, by what it is.
    func isOf(_ type: GPUType) -> Bool {
        guard let own = self.type else { return type.hasSlots && self.instanceType == type.instanceType }
        return own == type.name
    }
}

extension Node {
    /// Whether pods are sent there: it is ready, not cordoned, and has no taint but that of its GPUs.
    var isSchedulable: Bool {
        self.isReady && !self.isUnschedulable
            && !self.taints.contains {
                ($0.effect == "NoSchedule" || $0.effect == "NoExecute") && $0.key != "nvidia.com/gpu"
            }
    }
}
