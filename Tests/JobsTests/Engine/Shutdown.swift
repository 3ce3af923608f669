import Synchronization

/// The wish that a worker ends; any number of tasks may wait for it, until they are cancelled.
final class Shutdown: Sendable {
    private let hasBegun = Atomic(false)

    func begin() { self.hasBegun.store(true, ordering: .releasing) }

    @concurrent func wait() async {
        while !self.hasBegun.load(ordering: .acquiring), !Task.isCancelled {
            try? await Task.sleep(for: .milliseconds(5))
        }
    }
}
