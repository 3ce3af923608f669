import EventLoops

/// One timer of a loop for many deadlines, most of which never come: it is set for the soonest and looks when it fires.
///
/// Used on the loop only.
final class DeadlineTimer {
    typealias Instant = ContinuousClock.Instant

    private let loop: EventLoop
    private var timer: LoopTimer?
    private var due: Instant?

    init(loop: EventLoop) {
        self.loop = loop
    }

    /// Calls `look` at the deadline at the latest; it returns the next deadline to look at, if there is any.
    func cover(_ deadline: Instant, _ look: @escaping () -> Instant?) {
        if let due = self.due, due <= deadline { return }
        self.timer?.cancel()
        self.due = deadline
        self.timer = self.loop.after(ContinuousClock.now.duration(to: deadline)) { [weak self] in
            self?.due = nil
            guard let next = look() else { return }
            self?.cover(next, look)
        }
    }

    func cancel() {
        self.timer?.cancel()
        self.due = nil
    }
}
