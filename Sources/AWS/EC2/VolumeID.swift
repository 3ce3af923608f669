/// An EBS volume, `vol-…`.
package struct VolumeID: ResourceIdentifier {
    package let rawValue: String

    package init(rawValue: String) { self.rawValue = rawValue }
}
