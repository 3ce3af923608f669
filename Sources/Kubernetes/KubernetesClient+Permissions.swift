import FoundationEssentials
import HTTP

extension KubernetesClient {
    /// Whether the namespace of the reservations' pods exists: a list in one that does not is empty and no failure.
    package func namespaceExists(deadline: ContinuousClock.Instant) async throws(KubernetesError) -> Bool {
        let request = APIRequest("namespaces.get", .get, ["api", "v1", "namespaces", self.namespace])
        return try await self.object(Existing.self, request, kind: "Namespace", deadline: deadline) != nil
    }

    /// Whether the server would let us do something. (Kubernetes API reference, `SelfSubjectAccessReview`.)
    package func isAllowed(
        _ permission: Permission,
        deadline: ContinuousClock.Instant
    ) async throws(KubernetesError) -> Bool {
        let review = AccessReview(permission, namespace: self.namespace)
        let request = APIRequest(
            "selfsubjectaccessreviews.create",
            .post,
            ["apis", "authorization.k8s.io", "v1", "selfsubjectaccessreviews"],
            body: (try? JSONEncoder().encode(review)).map(Array.init) ?? []
        )
        return try await self.send(request, deadline: deadline) { body in
            try Self.read(ReviewedAccess.self, "SelfSubjectAccessReview", body).status.allowed
        }
    }
}

/// An object of which nothing but its existence matters.
private struct Existing: Decodable, Sendable {}

private struct AccessReview: Encodable {
    struct Specification: Encodable {
        let resourceAttributes: Attributes
    }

    struct Attributes: Encodable {
        let verb: String
        let resource: String
        let subresource: String?
        /// Left out for the whole cluster.
        let namespace: String?
        /// A namespace is asked for by its name.
        let name: String?
    }

    let kind = "SelfSubjectAccessReview"
    let apiVersion = "authorization.k8s.io/v1"
    let spec: Specification

    init(_ permission: Permission, namespace: String) {
        let parts = permission.resource.split(separator: "/").map(String.init)
        self.spec = Specification(
            resourceAttributes: Attributes(
                verb: permission.verb,
                resource: parts[0],
                subresource: parts.dropFirst().first,
                namespace: permission.scope == .namespace ? namespace : nil,
                name: permission.resource == "namespaces" ? namespace : nil
            )
        )
    }
}

private struct ReviewedAccess: Decodable, Sendable {
    struct Outcome: Decodable, Sendable {
        let allowed: Bool
    }

    let status: Outcome
}
