import FoundationEssentials
import HTTP

/// The part of EKS that finds a cluster's API server; `STSClient.eksToken` is the key to it.
package struct EKSClient: Sendable {
    let client: AWSClient

    /// A client that shares connections, credentials and limits with others of `client`.
    package init(_ client: AWSClient) {
        self.client = client
    }

    /// The cluster; an unknown one is `notFound`.
    package func describeCluster(
        _ name: String,
        deadline: ContinuousClock.Instant = .inThirtySeconds
    ) async throws(AWSError) -> EKSCluster {
        let request = AWSRequest(
            AWSOperation(.eks, "DescribeCluster", .read),
            method: .get,
            path: ["clusters", name]
        )
        return try await self.client.send(request, deadline: deadline) { response throws(MalformedAnswer) in
            guard let document = try? JSONDecoder().decode(Document.self, from: Data(response.body)),
                let authority = Data(base64Encoded: document.cluster.certificateAuthority.data)
            else { throw MalformedAnswer("the answer describes no cluster that has an endpoint") }
            let cluster = document.cluster
            return EKSCluster(
                name: cluster.name,
                endpoint: cluster.endpoint,
                certificateAuthority: Array(authority),
                status: cluster.status
            )
        }
    }
}

private struct Document: Decodable {
    struct Cluster: Decodable {
        struct Authority: Decodable {
            let data: String
        }

        let name: String
        let endpoint: String
        let status: String
        let certificateAuthority: Authority
    }

    let cluster: Cluster
}

/// How to reach the API server of an EKS cluster.
package struct EKSCluster: Sendable, Hashable {
    package let name: String
    /// The URL of the API server.
    package let endpoint: String
    /// The certificate of its authority, in PEM.
    package let certificateAuthority: [UInt8]
    /// EKS's word, such as `ACTIVE`.
    package let status: String
}
