import AWS

/// The scaling groups that the machines come from, by type.
struct ScalingGroups: Sendable {
    /// What the groups of one type have, taken together.
    struct Size: Sendable, Hashable {
        var running = 0
        var desired = 0
    }

    private let sizes: [String: Size]

    /// - Parameters:
    ///   - groups: All groups of the account.
    ///   - types: All types, also those out of use, since one name may begin with another.
    init(_ groups: [AutoScalingGroup], types: [GPUType]) {
        var own: [String: [AutoScalingGroup]] = [:]
        var shared: [AutoScalingGroup] = []
        for group in groups {
            if let type = Self.type(of: group, among: types) {
                own[type, default: []].append(group)
            } else if Self.rest(of: group.name, after: cpuPrefix) != nil {
                shared.append(group)
            }
        }
        // CPU machines of all types may come from groups that name none.
        for type in types where type.hasSlots && own[type.name] == nil { own[type.name] = shared }
        self.sizes = own.mapValues { groups in
            groups.reduce(into: Size()) { size, group in
                size.desired += group.desiredCapacity
                size.running += group.members.count { $0.lifecycleState == "InService" }
            }
        }
    }

    /// The size for a type; zeros if no group is of that type.
    subscript(type: GPUType) -> Size { self.sizes[type.name] ?? Size() }

    /// The type that a group's tag names, else the longest that its name does.
    private static func type(of group: AutoScalingGroup, among types: [GPUType]) -> String? {
        if let tag = group.tags["GpuType"], types.contains(where: { $0.name == tag }) { return tag }
        let candidates = types.filter { type in
            let prefixes = type.hasSlots ? [gpuPrefix, cpuPrefix] : [gpuPrefix]
            return prefixes.contains { self.rest(of: group.name, after: "\($0)-\(type.name)") != nil }
        }
        return candidates.max { $0.name.utf8.count < $1.name.utf8.count }?.name
    }

    /// What follows, if a name is the prefix, or goes on with a dash.
    private static func rest(of name: String, after prefix: String) -> Substring? {
        guard name.hasPrefix(prefix) else { return nil }
        let rest = name.dropFirst(prefix.count)
        return rest.isEmpty || rest.first == "-" ? rest : nil
    }
}

private let gpuPrefix = "pytorch-gpu-dev-gpu-nodes"
private let cpuPrefix = "pytorch-gpu-dev-cpu-nodes"
