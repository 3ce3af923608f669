import EventLoops
import Synchronization

/// Wakes one sleeper on a loop; rings that come while nobody sleeps are kept, as one.
actor WakeUp {
    nonisolated let loop: EventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor {
        unsafe self.loop.asUnownedSerialExecutor()
    }

    /// Whether a ring is on its way to the loop, so that a thousand of them cost one wake-up.
    private nonisolated let isRinging = Atomic(false)
    private var hasRung = false
    private var sleeper: CheckedContinuation<Void, Never>?

    init(loop: EventLoop) { self.loop = loop }

    nonisolated func ring() {
        guard !self.isRinging.exchange(true, ordering: .acquiringAndReleasing) else { return }
        self.loop.execute { self.assumeIsolated { $0.takeRing() } }
    }

    /// Returns at the next ring, at once if there was one since the last wait, or when the time is up.
    func wait(atMost limit: Duration) async {
        guard !self.hasRung && !Task.isCancelled else {
            self.hasRung = false
            return
        }
        let timer = self.loop.after(limit) { [weak self] in self?.assumeIsolated { _ = $0.wakeSleeper() } }
        await withTaskCancellationHandler {
            await withCheckedContinuation { self.sleeper = $0 }
        } onCancel: {
            self.ring()
        }
        timer.cancel()
    }

    private func takeRing() {
        self.isRinging.store(false, ordering: .releasing)
        if !self.wakeSleeper() { self.hasRung = true }
    }

    private func wakeSleeper() -> Bool {
        guard let sleeper = self.sleeper else { return false }
        self.sleeper = nil
        sleeper.resume()
        return true
    }
}
