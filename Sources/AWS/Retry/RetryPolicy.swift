/// How long to pause before which try.
///
/// The pause and the dice can be replaced, so that tests need not wait.
struct RetryPolicy: Sendable {
    var pause: @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) }
    /// A number from 0 to 1.
    var random: @Sendable () -> Double = { Double.random(in: 0...1) }
    var longestPause: Duration = .seconds(20)
    /// If AWS asks for a longer pause, the job had better come back later than hold its worker.
    var longestRequestedPause: Duration = .seconds(5)

    /// The most tries of one call, the first included.
    ///
    /// A change that another one of the zone stands in the way of is waited out for as long as its deadline allows.
    func attempts(for effect: AWSOperation.Effect, after error: AWSError) -> Int {
        if error.waitsForPriorRequest { return 12 }
        return effect == .read ? 4 : 3
    }

    /// Full jitter below a bound that doubles; never less than what the server asked for.
    ///
    /// - Parameters:
    ///   - attempt: How many tries have failed.
    ///   - error: What the last one failed with.
    /// - Returns: The pause.
    func delay(afterAttempt attempt: Int, _ error: AWSError) -> Duration {
        let base = error.code == .throttled ? Duration.seconds(1) : .milliseconds(100)
        let bound = min(base * (1 << min(attempt - 1, 16)), self.longestPause)
        return max(bound * self.random(), error.retryAfter ?? .zero)
    }
}
