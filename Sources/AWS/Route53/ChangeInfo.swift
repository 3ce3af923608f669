/// A batch of DNS changes that Route 53 has taken.
package struct ChangeInfo: Sendable, Hashable {
    /// Without the prefix `/change/`.
    package let id: String
    /// Whether all name servers of the zone have it (`INSYNC`).
    package let isInSync: Bool
}
