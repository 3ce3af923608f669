import FoundationEssentials
import HTTP

/// The way of a pod to the API server of its own cluster.
///
/// Source: Kubernetes manual, "Accessing the Kubernetes API from a Pod".
package struct InClusterAccess: AccessProvider {
    /// Where the kubelet puts token and authority.
    package static let standardDirectory = "/var/run/secrets/kubernetes.io/serviceaccount"

    private let server: String
    private let directory: String

    /// Nil outside a pod, or where the pod has no token.
    ///
    /// - Parameters:
    ///   - environment: Looks up a variable; nil where it is not set.
    ///   - directory: Where token and authority are.
    package init?(
        environment: (String) -> String?,
        directory: String = InClusterAccess.standardDirectory
    ) {
        guard let host = environment("KUBERNETES_SERVICE_HOST"), !host.isEmpty,
            FileManager.default.fileExists(atPath: "\(directory)/token")
        else { return nil }
        let port = environment("KUBERNETES_SERVICE_PORT") ?? "443"
        self.server = "https://\(host.contains(":") ? "[\(host)]" : host):\(port)"
        self.directory = directory
    }

    package func access(
        after complaint: AccessComplaint?,
        deadline: ContinuousClock.Instant
    ) async throws(KubernetesError) -> ClusterAccess {
        var tls = TLSOptions()
        tls.authorities = .pem(try FileContent.read("\(self.directory)/ca.crt"))
        return ClusterAccess(
            server: self.server,
            tls: tls,
            token: try FileContent.token("\(self.directory)/token"),
            renewal: .now.advanced(by: FileContent.tokenLifetime)
        )
    }
}
