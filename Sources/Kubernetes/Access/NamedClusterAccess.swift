package import FoundationEssentials
import HTTP
import Synchronization

/// The way to a cluster that is looked up by name, with a token that is made when it is needed; EKS is so.
///
/// Where it is and whom to trust is asked for once, and again when no connection comes about.
package final class NamedClusterAccess: AccessProvider {
    /// Where a cluster is.
    package struct Location: Sendable {
        package let server: String
        /// The certificate of its authority, in PEM.
        package let authority: [UInt8]

        /// A location from its parts.
        package init(server: String, authority: [UInt8]) {
            self.server = server
            self.authority = authority
        }
    }

    package typealias Locate = @Sendable (ContinuousClock.Instant) async throws -> Location
    /// A token, and when to make another.
    package typealias MakeToken =
        @Sendable (ContinuousClock.Instant) async throws -> (token: String, renewal: Date)

    private let locate: Locate
    private let makeToken: MakeToken
    private let location = Mutex<Location?>(nil)

    /// A way that is found by two calls, both of which get the time at which to give up.
    package init(locate: @escaping Locate, makeToken: @escaping MakeToken) {
        self.locate = locate
        self.makeToken = makeToken
    }

    package func access(
        after complaint: AccessComplaint?,
        deadline: ContinuousClock.Instant
    ) async throws(KubernetesError) -> ClusterAccess {
        do {
            let location = try await self.location(isStale: complaint == .unreachable, deadline)
            let (token, renewal) = try await self.makeToken(deadline)
            var tls = TLSOptions()
            tls.authorities = .pem(location.authority)
            return ClusterAccess(
                server: location.server,
                tls: tls,
                token: token,
                renewal: .now.advanced(by: .seconds(renewal.timeIntervalSinceNow))
            )
        } catch {
            throw KubernetesError(
                code: .credentials,
                operation: "kubernetes.access",
                message: "no way to the cluster was found",
                underlying: error
            )
        }
    }

    private func location(isStale: Bool, _ deadline: ContinuousClock.Instant) async throws -> Location {
        if !isStale, let known = self.location.withLock({ $0 }) { return known }
        let found = try await self.locate(deadline)
        self.location.withLock { $0 = found }
        return found
    }
}
