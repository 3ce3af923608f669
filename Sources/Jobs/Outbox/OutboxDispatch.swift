/// A message whose row in the outbox has just been committed, on its way to the broker without being read again.
struct OutboxDispatch: Sendable {
    /// The row's.
    let id: Int
    let message: OutboxMessage
    /// When the row is due for any relay, which ends the short way.
    let expiry: ContinuousClock.Instant

    /// How long after its commit a row is left to the worker that wrote it.
    ///
    /// What is not published by then, because its worker died or lost the broker, others find due.
    static let headStart: Duration = .seconds(5)
}
