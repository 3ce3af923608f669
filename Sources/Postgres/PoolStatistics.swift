/// What a pool has done so far and is doing now.
package struct PoolStatistics: Sendable, Equatable {
    /// Connections that are open or being opened.
    package var open: Int

    /// Connections that nobody uses.
    package var idle: Int

    /// Callers that wait for a connection.
    package var waiting: Int

    /// Connections opened since the start.
    package var opened: Int

    /// Connections given up since the start.
    package var closed: Int

    /// Callers that gave up waiting since the start.
    package var exhausted: Int

    package init(
        open: Int = 0,
        idle: Int = 0,
        waiting: Int = 0,
        opened: Int = 0,
        closed: Int = 0,
        exhausted: Int = 0,
    ) {
        self.open = open
        self.idle = idle
        self.waiting = waiting
        self.opened = opened
        self.closed = closed
        self.exhausted = exhausted
    }
}
