/// A service as its API server describes it.
package struct Service: Sendable, Hashable {
    package struct Port: Sendable, Hashable, Decodable {
        package let name: String?
        package let port: Int
        /// The port on every node, for a service of type `NodePort`.
        package let nodePort: Int?
    }

    package let name: String
    package let namespace: String
    package let uid: String
    package let labels: [String: String]
    package let ports: [Port]
}

extension Service: Decodable {
    private struct Document: Decodable {
        struct Specification: Decodable {
            let ports: [Port]?
        }

        let metadata: Metadata
        let spec: Specification?
    }

    package init(from decoder: any Decoder) throws {
        let document = try Document(from: decoder)
        self.init(
            name: document.metadata.name,
            namespace: document.metadata.namespace ?? "",
            uid: document.metadata.uid ?? "",
            labels: document.metadata.labels ?? [:],
            ports: document.spec?.ports ?? []
        )
    }
}
