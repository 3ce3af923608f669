/// What a loop does about an iteration that held everybody else up.
package struct Lateness: Sendable {
    private let limit: Duration
    private let onLate: @Sendable (Duration) -> Void

    /// Reports each iteration longer than `limit`, on the loop, with the time that it took.
    package init(above limit: Duration, _ onLate: @escaping @Sendable (Duration) -> Void) {
        self.limit = limit
        self.onLate = onLate
    }

    /// Says nothing.
    package static let ignored = Lateness(above: .seconds(Int64.max)) { _ in }

    func report(_ duration: Duration) {
        if duration > self.limit { self.onLate(duration) }
    }
}
