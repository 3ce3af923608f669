/// A container as a pod asks for it.
package struct Container: Sendable, Hashable {
    package let name: String
    /// What the scheduler sets aside for it.
    package let requests: Resources
    /// Whether it is an init container that stays beside the others once it has begun (a sidecar).
    package let staysBeside: Bool

    /// A container from its parts.
    package init(name: String, requests: Resources = [:], staysBeside: Bool = false) {
        self.name = name
        self.requests = requests
        self.staysBeside = staysBeside
    }
}

extension Container: Decodable {
    private struct Document: Decodable {
        struct Needs: Decodable {
            let requests: Resources?
            let limits: Resources?
        }

        let name: String
        let resources: Needs?
        let restartPolicy: String?
    }

    /// A limit without a request is the request too. (Kubernetes manual, "Resource Management for Pods".)
    package init(from decoder: any Decoder) throws {
        let document = try Document(from: decoder)
        let (limits, requests) = (document.resources?.limits ?? [:], document.resources?.requests ?? [:])
        self.init(
            name: document.name,
            requests: limits.merging(requests) { $1 },
            staysBeside: document.restartPolicy == "Always"
        )
    }
}
