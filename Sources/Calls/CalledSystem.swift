/// A system that calls go to, as metrics and traces name it.
package struct CalledSystem: Sendable {
    /// `rpc.system.name` of its spans (OpenTelemetry, Semantic Conventions for RPC).
    let name: String

    /// Counts its requests, by `service` where it has several, `operation` and `status`.
    let counter: String

    /// The time of its requests in seconds, by `service`; nil where they are not timed.
    let timer: String?

    package init(_ name: String, counter: String, timer: String? = nil) {
        self.name = name
        self.counter = counter
        self.timer = timer
    }
}
