import AWS
import Jobs
import Kubernetes
import Platform

/// What must hold of the pod and the instance that a job names before the load balancer sends anybody there.
///
/// Where no cluster is set up there are no pods to ask, and the instance is taken as it is named.
struct RouteOwnership: Sendable {
    let kubernetes: KubernetesClient?
    let deadline: ContinuousClock.Instant

    /// How long to leave a pod that has no node yet.
    private static let pollInterval: Duration = .seconds(5)

    /// Ends the attempt unless the pod is the reservation's and runs on the instance.
    func check(_ payload: CreateTargetGroup.Payload, of reservation: Reservation) async throws {
        guard payload.pod.description == reservation.pod else { throw self.foreignPod(payload) }
        guard let kubernetes = self.kubernetes else { return }
        let pod = try await kubernetes.pod(
            payload.pod.description,
            in: kubernetes.namespace,
            deadline: self.deadline
        )
        guard let pod else {
            throw Conclusion.rejected(Reason("unknown-pod", "there is no pod \(payload.pod)"))
        }
        guard reservation.mayHave(pod) else {
            throw self.foreignPod(payload)
        }
        guard let name = pod.nodeName else {
            throw Conclusion.snooze(
                Self.pollInterval,
                Reason("pod-pending", "pod \(payload.pod) has no node yet")
            )
        }
        let node = try await kubernetes.node(name, deadline: self.deadline)
        guard node?.instanceID == payload.target.instanceID.rawValue else {
            let message = "pod \(payload.pod) does not run on instance \(payload.target.instanceID)"
            throw Conclusion.rejected(Reason("foreign-instance", message))
        }
    }

    private func foreignPod(_ payload: CreateTargetGroup.Payload) -> Conclusion {
        let message = "pod \(payload.pod) is not that of reservation \(payload.reservation)"
        return .rejected(Reason("foreign-pod", message))
    }
}
