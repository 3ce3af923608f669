extension EventLoop {
    /// Waits on the loop's own clock, without a change of thread; ends early with `CancellationError` if cancelled.
    package func sleep(for duration: Duration) async throws {
        let sleeper = Sleeper(loop: self)
        try await withTaskCancellationHandler {
            try await sleeper.sleep(for: duration)
        } onCancel: {
            sleeper.cancel()
        }
    }
}

/// One sleep: an actor, so that timer and cancellation meet on the loop.
private actor Sleeper {
    nonisolated let loop: EventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor { self.loop.asUnownedSerialExecutor() }
    private var waiting: CheckedContinuation<Void, any Error>?
    private var timer: LoopTimer?

    init(loop: EventLoop) { self.loop = loop }

    func sleep(for duration: Duration) async throws {
        try Task.checkCancellation()
        try await withCheckedThrowingContinuation { continuation in
            self.waiting = continuation
            self.timer = self.loop.after(duration) { [weak self] in
                self?.assumeIsolated { $0.end(with: .success(())) }
            }
        }
    }

    nonisolated func cancel() {
        self.loop.execute { self.assumeIsolated { $0.end(with: .failure(CancellationError())) } }
    }

    private func end(with result: Result<Void, any Error>) {
        self.timer?.cancel()
        self.timer = nil
        self.waiting?.resume(with: result)
        self.waiting = nil
    }
}
