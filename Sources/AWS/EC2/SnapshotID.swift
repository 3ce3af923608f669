/// An EBS snapshot, `snap-…`.
package struct SnapshotID: ResourceIdentifier {
    package let rawValue: String

    package init(rawValue: String) { self.rawValue = rawValue }
}
