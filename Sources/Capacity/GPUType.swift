import Postgres

/// A row of `gpu_types`: a kind of machine that can be reserved, with GPUs or without.
struct GPUType: Sendable, Hashable {
    let name: String
    let instanceType: String
    /// None for a type of machines that are reserved for their CPUs.
    let gpusPerInstance: Int
    let isActive: Bool

    /// Whether its machines are shared out in slots.
    var hasSlots: Bool { self.gpusPerInstance == 0 }

    /// Machines of these types may be reserved several at a time.
    var mayJoinMachines: Bool {
        self.gpusPerInstance == 8 && ["a100", "h100", "h200", "b200"].contains(self.name)
    }

    /// The most machines of one reservation.
    static let mostJoinedMachines = 4
}

extension GPUType {
    /// All types, also those that are out of use, in the order of their names.
    static func all(in database: PostgresPool) async throws -> [GPUType] {
        try await database.run(
            """
            SELECT gpu_type, instance_type, coalesce(max_per_node, max_gpus) AS gpus_per_instance,
                coalesce(is_active, false) AS is_active
            FROM gpu_types ORDER BY gpu_type
            """
        ).rows.map { row in
            GPUType(
                name: try row.read("gpu_type"),
                instanceType: try row.read("instance_type"),
                gpusPerInstance: try row.read("gpus_per_instance"),
                isActive: try row.read("is_active")
            )
        }
    }
}
