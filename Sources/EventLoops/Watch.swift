import CLinux

/// What a watched descriptor may be ready for.
package enum Interest: Sendable {
    case reading, writing, readingAndWriting

    var events: UInt32 {
        switch self {
        case .reading: clinux_epoll_in | clinux_epoll_hang_up
        case .writing: clinux_epoll_out
        case .readingAndWriting: clinux_epoll_in | clinux_epoll_out | clinux_epoll_hang_up
        }
    }
}

/// One descriptor that a loop watches; used on that loop only.
package final class Watch {
    let descriptor: CInt
    let token: UInt64
    let action: () -> Void
    private unowned let loop: EventLoop
    private var isCancelled = false

    init(descriptor: CInt, token: UInt64, loop: EventLoop, action: @escaping () -> Void) {
        self.descriptor = descriptor
        self.token = token
        self.loop = loop
        self.action = action
    }

    /// What the descriptor is watched for from now on.
    package func update(for interest: Interest) {
        guard !self.isCancelled else { return }
        self.loop.update(self, for: interest)
    }

    /// Ends the watch; call before the descriptor is closed.
    package func cancel() {
        guard !self.isCancelled else { return }
        self.isCancelled = true
        self.loop.remove(self)
    }
}
