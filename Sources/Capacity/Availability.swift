import Jobs

/// How much of one type there is, and is free; slots count as GPUs where there are none.
struct Availability: EventData, JSONWritable, Hashable {
    let gpu_type: String
    let total_cluster_gpus: Int
    let available_gpus: Int
    let max_reservable: Int
    let full_nodes_available: Int
    let running_instances: Int
    let desired_capacity: Int
    /// Asked for by pods.
    let used_gpus: Int
    /// Neither used nor to be had, such as those of cordoned machines.
    let unavailable_gpus: Int

    static let shape = EventShape<Availability>(
        .field("gpu_type", "The type, as in gpu_types.") { $0.gpu_type },
        .field("total_cluster_gpus", "GPUs of all nodes and running instances.") { $0.total_cluster_gpus },
        .field("available_gpus", "GPUs that a pod could get now.") { $0.available_gpus },
        .field("max_reservable", "The most that one reservation can get.") { $0.max_reservable },
        .field("full_nodes_available", "Nodes with all their GPUs free.") { $0.full_nodes_available },
        .field("running_instances", "Instances in service.") { $0.running_instances },
        .field("desired_capacity", "Instances that are wanted.") { $0.desired_capacity },
        .field("used_gpus", "GPUs that pods have asked for and have a node for.") { $0.used_gpus },
        .field(
            "unavailable_gpus",
            "GPUs that are neither used nor to be had, such as those of cordoned nodes."
        ) { $0.unavailable_gpus }
    )
}

extension Availability {
    /// Counts one type.
    init(of type: GPUType, _ size: ScalingGroups.Size, _ machines: [Machine]) {
        let own = machines.filter { $0.isOf(type) }
        let counts = type.hasSlots ? Counts(slotsOf: own) : Counts(gpusOf: own, type)
        let total = max(
            size.running * (type.hasSlots ? Machine.slots : type.gpusPerInstance),
            counts.capacity
        )
        let available = min(counts.available, total)
        self.init(
            gpu_type: type.name,
            total_cluster_gpus: total,
            available_gpus: available,
            max_reservable: counts.reservable,
            full_nodes_available: counts.free,
            running_instances: size.running,
            desired_capacity: size.desired,
            used_gpus: counts.used,
            unavailable_gpus: max(0, total - available - counts.used)
        )
    }

    private struct Counts {
        let capacity: Int
        let used: Int
        let available: Int
        let free: Int
        let reservable: Int

        init(gpusOf machines: [Machine], _ type: GPUType) {
            self.capacity = machines.reduce(0) { $0 + $1.capacity }
            self.used = machines.reduce(0) { $0 + $1.used }
            self.available = machines.reduce(0) { $0 + $1.available }
            self.free = machines.count { $0.isFree }
            let best = machines.map(\.available).max() ?? 0
            let joined = min(GPUType.mostJoinedMachines, self.free) * type.gpusPerInstance
            self.reservable = type.mayJoinMachines && joined > 0 ? joined : best
        }

        init(slotsOf machines: [Machine]) {
            self.capacity = machines.count * Machine.slots
            self.used = machines.reduce(0) { $0 + min($1.reservations, Machine.slots) }
            self.available = machines.reduce(0) { $0 + $1.availableSlots }
            self.free = self.available
            self.reservable = self.available > 0 ? 1 : 0
        }
    }
}
