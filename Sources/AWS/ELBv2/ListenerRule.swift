/// A rule of a listener as ELBv2 describes it.
package struct ListenerRule: Sendable, Identifiable {
    /// One condition: a field and the values any of which satisfies it.
    package struct Condition: Sendable, Hashable {
        /// ELBv2's word, such as `host-header`.
        package let field: String
        package let values: [String]
    }

    package let id: ResourceARN
    /// 1…50000; nil for the default rule.
    package let priority: Int?
    package let isDefault: Bool
    package let conditions: [Condition]
    /// The target groups of its forward actions, in order.
    package let targetGroups: [ResourceARN]

    /// The host names that the rule is for.
    package var hostNames: [String] {
        self.conditions.filter { $0.field == "host-header" }.flatMap(\.values)
    }
}
