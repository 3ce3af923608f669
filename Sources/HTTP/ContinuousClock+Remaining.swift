extension ContinuousClock.Instant {
    /// What is left until then; negative afterwards.
    package var remaining: Duration { ContinuousClock.now.duration(to: self) }
}
