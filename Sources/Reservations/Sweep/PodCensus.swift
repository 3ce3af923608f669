import Jobs
import Kubernetes
import Logging

/// The pods of all reservations, from one list.
struct PodCensus: Sendable {
    /// By name; nil if there is no list.
    private let pods: [String: Pod]?

    /// Whether there should have been a list.
    let isUnreadable: Bool

    /// A list that cannot be had says nothing about any pod.
    init(from kubernetes: KubernetesClient?, _ context: JobContext) async {
        guard let kubernetes else {
            self.pods = nil
            self.isUnreadable = false
            return
        }
        do {
            let pods = try await kubernetes.pods(in: kubernetes.namespace, deadline: context.deadline)
            self.pods = Dictionary(pods.map { ($0.name, $0) }) { $1 }
            self.isUnreadable = false
        } catch {
            context.logger.warning("the pods could not be listed", metadata: ["error": "\(error)"])
            self.pods = nil
            self.isUnreadable = true
        }
    }

    subscript(_ name: String) -> Pod? { self.pods?[name] }

    func sight(of name: String) -> LiveReservation.PodSight {
        guard let pods = self.pods else { return .unknown }
        return pods[name] == nil ? .absent : .present
    }

    /// The names of pods that reservations have, but for those in `known`.
    func names(besides known: Set<String>) -> [String] {
        (self.pods ?? [:]).keys.filter { $0.hasPrefix("gpu-dev-") && !known.contains($0) }
    }
}
