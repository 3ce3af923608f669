import Calls
import Fuzzing
import Testing

@Suite struct BackoffTests {
    private let backoff = Backoff(base: .seconds(1), cap: .seconds(30))

    @Test(arguments: [(1, 1), (2, 2), (3, 4), (4, 8), (5, 16), (6, 30), (7, 30), (100, 30), (Int.max, 30)])
    func `the bound doubles up to the cap`(failure: Int, seconds: Int) {
        #expect(self.backoff.bound(afterFailure: failure) == .seconds(seconds))
    }

    @Test func `a constant bound does not grow`() {
        let backoff = Backoff(constant: .milliseconds(400))
        #expect((1...9).allSatisfy { backoff.bound(afterFailure: $0) == .milliseconds(400) })
    }

    @Test func `what has not failed is bounded as after the first failure`() {
        #expect(self.backoff.bound(afterFailure: 0) == .seconds(1))
    }

    @Test(arguments: [0...1, 0.5...1, 0.25...1, 1.0 / 3...1] as [ClosedRange<Double>])
    func `pauses spread over the whole share of the bound`(jitter: ClosedRange<Double>) {
        let backoff = Backoff(base: .seconds(10), cap: .seconds(30), jitter: jitter)
        var generator = SplitMix64(seed: 2)
        let pauses = (0..<1000).map { _ in backoff.pause(afterFailure: 2, using: &generator) / .seconds(20) }
        #expect(pauses.allSatisfy { jitter.contains($0) || abs($0 - jitter.lowerBound) < 1e-9 })
        let margin = (jitter.upperBound - jitter.lowerBound) / 50
        #expect(pauses.contains { $0 < jitter.lowerBound + margin })
        #expect(pauses.contains { $0 > jitter.upperBound - margin })
    }

    @Test func `the same generator gives the same pauses`() {
        func pauses() -> [Duration] {
            var generator = SplitMix64(seed: 7)
            return (1...10).map { self.backoff.pause(afterFailure: $0, using: &generator) }
        }
        #expect(pauses() == pauses())
    }

    @Test func `without a share the pause is the bound`() {
        let backoff = Backoff(base: .milliseconds(100), cap: .seconds(20), jitter: 1...1)
        #expect((1...3).map { backoff.pause(afterFailure: $0) } == [100, 200, 400].map { .milliseconds($0) })
    }
}
