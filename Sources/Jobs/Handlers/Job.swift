package import Logging

/// One job, as its handler sees it.
package struct Job<Payload: Sendable>: Sendable {
    package let id: JobID
    package let kind: JobKind
    package let payload: Payload
    package let context: JobContext
}

/// What surrounds one attempt of a job.
package struct JobContext: Sendable {
    /// Which attempt this is, counted from 1; snoozes and interruptions are none.
    package let attempt: Int

    /// Whether an earlier run ended without an outcome: its last call may still be under way.
    package let followsUnsettledStart: Bool

    /// How long the job has been snoozing, since the first time in a row.
    package let waited: Duration

    /// When the handler is cancelled.
    ///
    /// Calls must end before it.
    package private(set) var deadline: ContinuousClock.Instant

    /// Whether nothing may be destroyed, whatever the payload says: the worker runs dry.
    package let isDryRun: Bool

    /// Carries the job's id and kind; made where it is asked for, since most jobs do not log.
    package var logger: Logger {
        var logger = self.baseLogger
        for (key, value) in self.metadata() { logger[metadataKey: key] = value }
        return logger
    }

    private let baseLogger: Logger
    private let metadata: @Sendable () -> Logger.Metadata

    package init(
        attempt: Int,
        followsUnsettledStart: Bool = false,
        waited: Duration = .zero,
        deadline: ContinuousClock.Instant,
        isDryRun: Bool = false,
        logger: Logger,
        metadata: @autoclosure @escaping @Sendable () -> Logger.Metadata = [:],
    ) {
        self.attempt = attempt
        self.followsUnsettledStart = followsUnsettledStart
        self.waited = waited
        self.deadline = deadline
        self.isDryRun = isDryRun
        self.baseLogger = logger
        self.metadata = metadata
    }

    /// What is left until the deadline; never negative.
    package var remaining: Duration { max(.zero, ContinuousClock.now.duration(to: self.deadline)) }

    /// The same with half of the time that is left, for a step that must leave some to those after it.
    package var halved: JobContext {
        var context = self
        context.deadline = .now + self.remaining / 2
        return context
    }
}

/// A payload that may ask for a dry run, in which a job only reports what it would do.
package protocol DryRunPayload: JobPayload {
    var isDryRun: Bool { get }
}

extension Job where Payload: DryRunPayload {
    /// Whether nothing may be destroyed: by the payload's wish, or since the whole worker runs dry.
    package var isDryRun: Bool { self.context.isDryRun || self.payload.isDryRun }
}
