/// An EC2 instance, `i-…`.
package struct InstanceID: ResourceIdentifier {
    package let rawValue: String

    package init(rawValue: String) { self.rawValue = rawValue }
}
