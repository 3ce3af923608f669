/// What a job does, such as `disk.create`: the routing key of its message, and the name of its schema.
package struct JobKind: Hashable, Sendable, CustomStringConvertible, ExpressibleByStringLiteral {
    package let name: String

    package init(_ name: String) { self.name = name }

    package init(stringLiteral name: String) { self.name = name }

    package var description: String { self.name }

    /// The part before the first dot, which names the queue: `disk` of `disk.create`.
    package var family: Substring { self.name.prefix { $0 != "." } }
}
