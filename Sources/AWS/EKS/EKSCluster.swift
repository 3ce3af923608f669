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
