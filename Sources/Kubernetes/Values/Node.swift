/// A node as its API server describes it.
package struct Node: Sendable, Hashable {
    /// What keeps pods off a node that do not tolerate it.
    package struct Taint: Sendable, Hashable, Decodable {
        package let key: String
        package let value: String?
        /// `NoSchedule`, `PreferNoSchedule` or `NoExecute`.
        package let effect: String

        /// A taint from its parts.
        package init(key: String, value: String? = nil, effect: String) {
            self.key = key
            self.value = value
            self.effect = effect
        }
    }

    package var name: String
    package var labels: [String: String] = [:]
    /// Where the machine is found, such as `aws:///us-east-2a/i-0123456789abcdef0`.
    package var providerID: String?
    /// What the machine has.
    package var capacity: Resources = [:]
    /// What of it is for pods.
    package var allocatable: Resources = [:]
    package var taints: [Taint] = []
    /// Whether it is cordoned.
    package var isUnschedulable = false
    package var conditions: [Condition] = []

    /// A node that is ready and has nothing.
    package init(name: String) {
        self.name = name
        self.conditions = [Condition("Ready", .yes)]
    }

    /// Whether its kubelet says so now; when that is not known it is not ready.
    package var isReady: Bool { self.conditions.contains { $0.type == "Ready" && $0.status == .yes } }

    /// The id of its instance, such as `i-0123456789abcdef0`, where the provider is AWS.
    package var instanceID: String? {
        guard let providerID, providerID.hasPrefix("aws:") else { return nil }
        return providerID.split(separator: "/").last.map(String.init)
    }
}

extension Node: Decodable {
    private struct Document: Decodable {
        struct Specification: Decodable {
            let providerID: String?
            let taints: [Taint]?
            let unschedulable: Bool?
        }

        struct State: Decodable {
            let capacity: Resources?
            let allocatable: Resources?
            let conditions: [Condition]?
        }

        let metadata: Metadata
        let spec: Specification?
        let status: State?
    }

    package init(from decoder: any Decoder) throws {
        let document = try Document(from: decoder)
        self.init(name: document.metadata.name)
        self.labels = document.metadata.labels ?? [:]
        self.providerID = document.spec?.providerID
        self.taints = document.spec?.taints ?? []
        self.isUnschedulable = document.spec?.unschedulable ?? false
        self.capacity = document.status?.capacity ?? [:]
        self.allocatable = document.status?.allocatable ?? [:]
        self.conditions = document.status?.conditions ?? []
    }
}
