extension ContinuousClock.Instant {
    /// The moment `duration` from now.
    package static func `in`(_ duration: Duration) -> ContinuousClock.Instant { .now.advanced(by: duration) }

    /// The deadline of a call whose caller has none of its own.
    package static var inThirtySeconds: ContinuousClock.Instant { .in(.seconds(30)) }
}
