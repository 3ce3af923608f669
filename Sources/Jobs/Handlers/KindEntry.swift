/// One kind, and how its handler is made of the services that its room has: all that registers a kind.
package struct KindEntry<Services: Sendable>: Sendable {
    /// The kind without its services; made where it is asked for, which a running worker never does.
    package var declared: DeclaredKind { self.declare() }

    private let declare: @Sendable () -> DeclaredKind
    private let add: @Sendable (Services, inout KindTable) -> Void

    package init<Handler: JobHandler>(_ make: @escaping @Sendable (Services) -> Handler) {
        self.declare = { DeclaredKind(Handler.self) }
        self.add = { services, kinds in kinds.register(make(services)) }
    }

    package init<Handler: RowJobHandler>(_ make: @escaping @Sendable (Services) -> Handler) {
        self.declare = { DeclaredKind(Handler.self) }
        self.add = { services, kinds in kinds.register(make(services)) }
    }

    /// Adds the kind to those that a worker knows.
    package func register(in kinds: inout KindTable, with services: Services) { self.add(services, &kinds) }
}
