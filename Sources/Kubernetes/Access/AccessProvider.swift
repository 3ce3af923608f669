/// What was wrong with the way to a server.
package enum AccessComplaint: Sendable, Hashable {
    /// It does not know the token or the certificate (any more).
    case refused
    /// No connection came about: it is elsewhere, or its certificate is not signed by the authority that we know.
    case unreachable
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
