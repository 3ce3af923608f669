/// What a server did not like about the way that it was reached.
package enum AccessComplaint: Sendable, Hashable {
    /// It does not know the token or the certificate (any more).
    case refused
    /// Its own certificate is not signed by the authority that we know.
    case distrusted
}

/// A source of ways to the API server.
package protocol AccessProvider: Sendable {
    /// A fresh way.
    ///
    /// - Parameters:
    ///   - complaint: What was wrong with the last one; nil if it has only become old.
    ///   - deadline: When to give up.
    /// - Returns: The way.
    /// - Throws: When there is none.
    func access(
        after complaint: AccessComplaint?,
        deadline: ContinuousClock.Instant
    ) async throws(KubernetesError) -> ClusterAccess
}
