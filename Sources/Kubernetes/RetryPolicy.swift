/// How often to try, and how long to pause before which try.
///
/// The pause and the dice can be replaced, so that tests need not wait.
struct RetryPolicy: Sendable {
    var pause: @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) }
    /// A number from 0 to 1.
    var random: @Sendable () -> Double = { Double.random(in: 0...1) }
    /// The most tries of one call, the first included.
    var attempts = 4
    /// If the server asks for a longer pause, the job had better come back later than hold its worker.
    var longestRequestedPause: Duration = .seconds(5)

    /// Full jitter below a bound that doubles; never less than what the server asked for.
    ///
    /// - Parameters:
    ///   - attempt: How many tries have failed.
    ///   - error: What the last one failed with.
    /// - Returns: The pause.
    func delay(afterAttempt attempt: Int, _ error: KubernetesError) -> Duration {
        let base = error.code == .throttled ? Duration.seconds(1) : .milliseconds(100)
        let bound = base * (1 << min(attempt - 1, 8))
        return max(bound * self.random(), error.retryAfter ?? .zero)
    }
}
