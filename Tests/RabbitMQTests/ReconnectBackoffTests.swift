import RabbitMQ
import Testing

struct ReconnectBackoffTests {
    @Test func `the bound doubles up to the cap and starts over after a reset`() {
        var backoff = ReconnectBackoff(base: .seconds(1), cap: .seconds(30))
        var generator = SeededGenerator(seed: 1)
        for seconds in [1, 2, 4, 8, 16, 30, 30] {
            #expect(backoff.bound == .seconds(seconds))
            #expect((.zero ... .seconds(seconds)).contains(backoff.next(using: &generator)))
        }
        for _ in 0..<100 { _ = backoff.next(using: &generator) }
        #expect(backoff.bound == .seconds(30))
        backoff.reset()
        #expect(backoff.bound == .seconds(1))
    }

    @Test func `waits spread over the whole range`() {
        var generator = SeededGenerator(seed: 2)
        let waits = (0..<200).map { _ in
            var backoff = ReconnectBackoff(base: .seconds(10), cap: .seconds(30))
            return backoff.next(using: &generator)
        }
        #expect(waits.contains { $0 < .seconds(2) })
        #expect(waits.contains { $0 > .seconds(8) })
    }
}
