/// What a pool has and what it went through.
package struct PoolStatistics: Equatable, Sendable {
    /// Connections that are open, in use or not.
    package var open = 0
    /// Open connections that nobody uses.
    package var idle = 0
    /// Connections being made.
    package var opening = 0
    /// Callers waiting for a connection.
    package var waiting = 0
    /// Connections opened since the start.
    package var opened = 0
    /// Connections closed or lost since the start.
    package var closed = 0
    /// Attempts to connect that failed since the start.
    package var failedOpenings = 0
    /// Callers that had to wait since the start.
    package var waits = 0
    /// Callers that got no connection in time since the start.
    package var timeouts = 0
    /// The longest that a caller waited for a connection and got one.
    package var longestWait = Duration.zero

    package init() {}
}
