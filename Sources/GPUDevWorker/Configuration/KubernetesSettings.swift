import AWS
import HTTP
import Kubernetes
import Logging
import Tracing

/// Which cluster, and where in it.
struct KubernetesSettings: Sendable {
    /// How its API server is found.
    enum Way: Sendable {
        case described(any AccessProvider)
        /// By the name of a cluster of EKS.
        case eks(cluster: String)
    }

    let way: Way
    let namespace: String
}

extension KubernetesClient {
    /// A client of the cluster; where it is one of EKS, its address and its credentials come from AWS.
    init(
        _ settings: KubernetesSettings,
        aws: AWSClient,
        http: HTTPClient,
        logger: Logger,
        tracer: (any Tracer)? = nil
    ) {
        let access: any AccessProvider =
            switch settings.way {
            case .described(let access): access
            case .eks(let cluster): NamedClusterAccess(eks: cluster, aws)
            }
        self.init(
            access: access,
            namespace: settings.namespace,
            http: http,
            logger: logger,
            tracer: tracer
        )
    }
}

extension NamedClusterAccess {
    fileprivate convenience init(eks name: String, _ aws: AWSClient) {
        self.init(
            locate: { deadline in
                let cluster = try await EKSClient(aws).describeCluster(name, deadline: deadline)
                return Location(server: cluster.endpoint, authority: cluster.certificateAuthority)
            },
            makeToken: { deadline in
                try await STSClient(aws).eksToken(cluster: name, deadline: deadline)
            }
        )
    }
}
