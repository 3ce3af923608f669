/// One thing that an account may be allowed to do: a verb on a resource, in one namespace or in the whole cluster.
package struct Permission: Sendable, Hashable, CustomStringConvertible {
    /// Where it holds.
    package enum Scope: Sendable, Hashable {
        /// The namespace of the reservations' pods.
        case namespace
        case cluster
    }

    /// As a role names it, such as `list`.
    package let verb: String
    /// As a role names it, such as `pods` or `pods/exec`; of the core API group.
    package let resource: String
    package let scope: Scope

    init(_ verb: String, _ resource: String, _ scope: Scope) {
        (self.verb, self.resource, self.scope) = (verb, resource, scope)
    }

    /// `list pods in the whole cluster`.
    package var description: String {
        "\(self.verb) \(self.resource)" + (self.scope == .cluster ? " in the whole cluster" : "")
    }

    /// Everything that the client's calls need; the roles in `k8s` grant these and no others.
    ///
    /// An exec over a WebSocket is a GET; newer servers ask for `create` as well, since it starts a process.
    package static let needed = [
        Permission("get", "nodes", .cluster),
        Permission("list", "nodes", .cluster),
        Permission("list", "pods", .cluster),
        Permission("list", "events", .cluster),
        Permission("get", "namespaces", .namespace),
        Permission("get", "pods", .namespace),
        Permission("list", "pods", .namespace),
        Permission("delete", "pods", .namespace),
        Permission("get", "pods/exec", .namespace),
        Permission("create", "pods/exec", .namespace),
        Permission("delete", "services", .namespace),
    ]
}
