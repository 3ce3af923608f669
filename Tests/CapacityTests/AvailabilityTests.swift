import Kubernetes
import Testing

@testable import AWS
@testable import Capacity

@Suite struct AvailabilityTests {
    private func type(_ name: String, _ gpus: Int) -> GPUType {
        GPUType(name: name, instanceType: "x.large", gpusPerInstance: gpus, isActive: true)
    }

    private func machine(_ type: String, _ used: Int, of all: Int, isSchedulable: Bool = true) -> Machine {
        Machine(
            name: "\(type)-\(used)",
            type: type,
            instanceType: nil,
            isSchedulable: isSchedulable,
            capacity: all,
            allocatable: all,
            used: used,
            reservations: used
        )
    }

    private func group(_ name: String, _ desired: Int, running: Int, tags: Tags = [:]) -> AutoScalingGroup {
        let states = (0..<desired).map { $0 < running ? "InService" : "Pending" }
        return AutoScalingGroup(
            name: name,
            minimumSize: 0,
            maximumSize: 9,
            desiredCapacity: desired,
            members: states.map {
                .init(
                    instanceID: "i-1",
                    lifecycleState: $0,
                    healthStatus: "Healthy",
                    instanceType: "x.large",
                    availabilityZone: "us-east-2a"
                )
            },
            tags: tags
        )
    }

    @Test func `a group belongs to the longest type that its name goes on with`() {
        let types = [
            self.type("t4", 4), self.type("t4-small", 1), self.type("cpu-x86", 0), self.type("cpu-arm", 0),
        ]
        let prefix = "pytorch-gpu-dev-gpu-nodes"
        let groups = ScalingGroups(
            [
                self.group("\(prefix)-t4", 2, running: 2), self.group("\(prefix)-t4-20250101", 1, running: 0),
                self.group("\(prefix)-t4-small", 3, running: 1), self.group("\(prefix)-t4x", 9, running: 9),
                self.group("pytorch-gpu-dev-cpu-nodes", 4, running: 3),
                self.group("pytorch-gpu-dev-cpu-nodes-cpu-arm", 1, running: 1),
                self.group("other", 5, running: 5, tags: ["GpuType": "t4-small"]),
            ],
            types: types
        )
        #expect(groups[types[0]] == .init(running: 2, desired: 3))
        #expect(groups[types[1]] == .init(running: 6, desired: 8))
        #expect(groups[types[2]] == .init(running: 3, desired: 4))
        #expect(groups[types[3]] == .init(running: 1, desired: 1))
        #expect(groups[self.type("l4", 4)] == .init(running: 0, desired: 0))
    }

    @Test func `GPUs of a machine that takes nobody count in all, and are not to be had`() {
        let machines = [
            self.machine("t4", 1, of: 4), self.machine("t4", 0, of: 4),
            self.machine("t4", 2, of: 4, isSchedulable: false), self.machine("l4", 0, of: 4),
        ]
        let count = Availability(of: self.type("t4", 4), .init(running: 2, desired: 3), machines)
        #expect(count.total_cluster_gpus == 12 && count.available_gpus == 7 && count.used_gpus == 3)
        #expect(count.unavailable_gpus == 2 && count.full_nodes_available == 1 && count.max_reservable == 4)
        #expect(count.running_instances == 2 && count.desired_capacity == 3)
    }

    @Test(arguments: [(0, 3), (1, 8), (3, 24), (5, 32)])
    func `whole machines of the large types may be joined, four at most`(free: Int, reservable: Int) {
        let machines =
            [self.machine("h100", 5, of: 8)] + (0..<free).map { _ in self.machine("h100", 0, of: 8) }
        let count = Availability(of: self.type("h100", 8), .init(), machines)
        #expect(count.max_reservable == reservable && count.full_nodes_available == free)
    }

    @Test func `machines without GPUs have three slots each`() {
        let machines = [self.machine("cpu-x86", 1, of: 0), self.machine("cpu-x86", 4, of: 0)]
        let count = Availability(of: self.type("cpu-x86", 0), .init(running: 2, desired: 2), machines)
        #expect(count.total_cluster_gpus == 6 && count.available_gpus == 2 && count.used_gpus == 4)
        #expect(count.full_nodes_available == 2 && count.max_reservable == 1)
        let full = Availability(of: self.type("cpu-x86", 0), .init(), [self.machine("cpu-x86", 3, of: 0)])
        #expect(full.max_reservable == 0 && full.available_gpus == 0)
    }

    private func container(_ gpus: String, staysBeside: Bool = false) throws -> Container {
        let amount = try #require(Quantity(gpus))
        return Container(name: "c", requests: ["nvidia.com/gpu": amount], staysBeside: staysBeside)
    }

    /// The cases of the Kubernetes manual, "Sidecar Containers".
    @Test func `a pod takes what its containers take together, or an init container before them`() throws {
        var pod = Pod(name: "p", namespace: "n", uid: "u")
        pod.containers = [try self.container("1"), try self.container("2")]
        #expect(try pod.gpus() == 3)
        pod.initContainers = [try self.container("2")]
        #expect(try pod.gpus() == 3)
        pod.initContainers.append(try self.container("5"))
        #expect(try pod.gpus() == 5)
        pod.initContainers.insert(try self.container("1", staysBeside: true), at: 0)
        #expect(try pod.gpus() == 6)
        pod.initContainers.removeLast()
        #expect(try pod.gpus() == 4)
        pod.overhead = ["nvidia.com/gpu": Quantity(1)]
        #expect(try pod.gpus() == 5)
    }

    @Test func `half a GPU is refused`() throws {
        var pod = Pod(name: "p", namespace: "n", uid: "u")
        pod.containers = [try self.container("500m")]
        #expect(throws: UncountableGPUs.self) { try pod.gpus() }
        pod.containers = [try self.container("2k")]
        #expect(try pod.gpus() == 2000)
    }

    @Test func `a machine takes pods if it is ready, not cordoned and has no taint but that of its GPUs`() {
        var node = Node(name: "n")
        #expect(node.isSchedulable)
        node.taints = [
            .init(key: "nvidia.com/gpu", effect: "NoSchedule"), .init(key: "a", effect: "PreferNoSchedule"),
        ]
        #expect(node.isSchedulable)
        for effect in ["NoSchedule", "NoExecute"] {
            var tainted = node
            tainted.taints.append(.init(key: "maintenance", effect: effect))
            #expect(!tainted.isSchedulable)
        }
        var cordoned = node
        cordoned.isUnschedulable = true
        #expect(!cordoned.isSchedulable)
        node.conditions = [Condition("Ready", .unknown)]
        #expect(!node.isSchedulable)
    }
}
