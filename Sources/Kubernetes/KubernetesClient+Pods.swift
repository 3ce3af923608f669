import FoundationEssentials
import HTTP

extension KubernetesClient {
    /// All pods of a namespace that fit, in no order.
    package func pods(
        in namespace: String,
        matching selectors: [Selector] = [],
        deadline: ContinuousClock.Instant
    ) async throws(KubernetesError) -> [Pod] {
        let path = ["api", "v1", "namespaces", namespace, "pods"]
        return try await self.pods(path, selectors, deadline)
    }

    /// All pods of the cluster that fit, in no order.
    package func podsOfAllNamespaces(
        matching selectors: [Selector] = [],
        deadline: ContinuousClock.Instant
    ) async throws(KubernetesError) -> [Pod] {
        try await self.pods(["api", "v1", "pods"], selectors, deadline)
    }

    /// A pod, or nil if the server says that there is none of that name; any other failure is thrown.
    package func pod(
        _ name: String,
        in namespace: String,
        deadline: ContinuousClock.Instant
    ) async throws(KubernetesError) -> Pod? {
        let request = APIRequest("pods.get", .get, ["api", "v1", "namespaces", namespace, "pods", name])
        return try await self.object(Pod.self, request, kind: "Pod", deadline: deadline)
    }

    /// Asks for the end of this very pod; another of the same name is left alone.
    ///
    /// - Parameters:
    ///   - pod: The pod, as it was read.
    ///   - gracePeriod: How long its processes may take to end; nil for what the pod says. Zero removes the pod though
    ///     its node may not have ended it.
    ///   - deadline: When to give up.
    /// - Returns: Whether it was still there; false if it is gone already or replaced.
    /// - Throws: When it is not known that the server has taken the request.
    @discardableResult
    package func deletePod(
        _ pod: Pod,
        gracePeriod: Duration?,
        deadline: ContinuousClock.Instant
    ) async throws(KubernetesError) -> Bool {
        let options = DeleteOptions(uid: pod.uid, gracePeriod: gracePeriod)
        let path = ["api", "v1", "namespaces", pod.namespace, "pods", pod.name]
        let request = APIRequest("pods.delete", .delete, path, body: options.json)
        do throws(KubernetesError) {
            try await self.send(request, deadline: deadline)
            return true
        } catch {
            if error.code == .notFound { return false }
            guard error.code == .conflict else { throw error }
            // A pod of that name with another uid, or some passing conflict: only another read can tell.
            let present = try await self.pod(pod.name, in: pod.namespace, deadline: deadline)
            guard present?.uid == pod.uid else { return false }
            throw error
        }
    }

    private func pods(
        _ path: [String],
        _ selectors: [Selector],
        _ deadline: ContinuousClock.Instant
    ) async throws(KubernetesError) -> [Pod] {
        let request = APIRequest("pods.list", .get, path, query: selectors.query)
        return try await self.list(Pod.self, request, kind: "PodList", deadline: deadline)
    }
}

/// How a thing is to be deleted. (Kubernetes API reference, `DeleteOptions`.)
private struct DeleteOptions: Encodable {
    struct Preconditions: Encodable {
        let uid: String
    }

    let kind = "DeleteOptions"
    let apiVersion = "v1"
    let gracePeriodSeconds: Int?
    let preconditions: Preconditions

    init(uid: String, gracePeriod: Duration?) {
        self.gracePeriodSeconds = gracePeriod.map { Int($0.components.seconds) }
        self.preconditions = Preconditions(uid: uid)
    }

    var json: [UInt8] { (try? JSONEncoder().encode(self)).map(Array.init) ?? [] }
}
