import Calls
import Testing

@Suite struct BackoffStateTests {
    @Test func `pauses grow with the failures in a row and start over after a reset`() {
        var state = BackoffState(Backoff(base: .seconds(1), cap: .seconds(30), jitter: 1...1))
        for seconds in [1, 2, 4, 8, 16, 30, 30] {
            let pause = state.next()
            #expect(pause == .seconds(seconds))
        }
        #expect(state.failures == 7)
        state.reset()
        let pause = state.next()
        #expect(pause == .seconds(1) && state.failures == 1)
    }
}
