import HTTP

extension KubernetesClient {
    /// Removes a service; returns whether there was one.
    @discardableResult
    package func deleteService(
        _ name: String,
        in namespace: String,
        deadline: ContinuousClock.Instant
    ) async throws(KubernetesError) -> Bool {
        let path = ["api", "v1", "namespaces", namespace, "services", name]
        let request = APIRequest("services.delete", .delete, path)
        do throws(KubernetesError) {
            try await self.send(request, deadline: deadline)
            return true
        } catch {
            guard error.code == .notFound else { throw error }
            return false
        }
    }
}
