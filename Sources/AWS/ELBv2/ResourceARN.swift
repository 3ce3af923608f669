/// The Amazon Resource Name of a listener, a rule or a target group.
package struct ResourceARN: ResourceIdentifier {
    package let rawValue: String

    package init(rawValue: String) { self.rawValue = rawValue }
}
