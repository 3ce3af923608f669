import HTTP

extension KubernetesClient {
    /// A service, or nil if the server says that there is none of that name.
    package func service(
        _ name: String,
        in namespace: String,
        deadline: ContinuousClock.Instant
    ) async throws(KubernetesError) -> Service? {
        let request = APIRequest("services.get", .get, self.path(of: name, in: namespace))
        return try await self.object(Service.self, request, kind: "Service", deadline: deadline)
    }

    /// Removes a service; returns whether there was one.
    @discardableResult
    package func deleteService(
        _ name: String,
        in namespace: String,
        deadline: ContinuousClock.Instant
    ) async throws(KubernetesError) -> Bool {
        let request = APIRequest("services.delete", .delete, self.path(of: name, in: namespace))
        do throws(KubernetesError) {
            try await self.send(request, deadline: deadline)
            return true
        } catch {
            guard error.code == .notFound else { throw error }
            return false
        }
    }

    private func path(of service: String, in namespace: String) -> [String] {
        ["api", "v1", "namespaces", namespace, "services", service]
    }
}
