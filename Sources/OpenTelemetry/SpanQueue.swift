import Synchronization

/// Spans that have ended and wait for their export; what there is no room for is dropped and counted.
final class SpanQueue: Sendable {
    private struct State {
        var spans: [SpanRecord] = []
        var dropped = 0
    }

    /// Says that there is enough for an export; ends with `finish`.
    let wakes: AsyncStream<Void>
    private let waker: AsyncStream<Void>.Continuation
    private let state = Mutex(State())

    /// As much as goes out in one request, and as much as waits.
    static let batch = 512
    private static let limit = 8 * batch

    init() {
        (self.wakes, self.waker) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    func append(_ span: SpanRecord) {
        let isEnough = self.state.withLock { state in
            guard state.spans.count < Self.limit else {
                state.dropped += 1
                return false
            }
            state.spans.append(span)
            return state.spans.count % Self.batch == 0
        }
        if isEnough { self.wake() }
    }

    /// The oldest spans, of one request at most, and how many have been dropped since the last time.
    func next() -> (spans: [SpanRecord], dropped: Int) {
        self.state.withLock { state in
            defer {
                state.spans.removeFirst(min(Self.batch, state.spans.count))
                state.dropped = 0
            }
            return (Array(state.spans.prefix(Self.batch)), state.dropped)
        }
    }

    func wake() { self.waker.yield() }
    func finish() { self.waker.finish() }
}
