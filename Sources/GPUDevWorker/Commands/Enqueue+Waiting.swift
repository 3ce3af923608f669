import Jobs
import RabbitMQ

extension Enqueue {
    /// The job has ended before it was enqueued again, and its message would be dropped.
    private struct EndedBefore: Error {
        let ending: JobsTable.Ending
    }

    /// Sends the job and prints its completion event, as soon as it has ended.
    ///
    /// The log is followed before the ledger is asked, so that no ending falls in between.
    func sendAndWait(_ job: JobSubmission, _ broker: RabbitMQConfiguration, _ topology: Topology) async throws
    {
        let limit = try self.waitingTime
        let records = try await self.ledger()
        do {
            let event = try await Self.event(of: job.id, broker, topology, .next, within: limit) {
                if let ending = try await records(job.id) { throw EndedBefore(ending: ending) }
                try await Connections.withBroker(broker) { try await self.send(job, $0, topology) }
                Terminal.print(job.id.description)
            }
            guard let event else {
                throw Failure(
                    .failed,
                    "job \(job.id) has not ended yet and goes on: `gpudev-worker jobs show \(job.id)`"
                )
            }
            try self.print(event)
        } catch let ended as EndedBefore {
            Terminal.print(job.id.description)
            let age = "\(ended.ending.secondsAgo + 60)s"
            let event = try await Self.event(of: job.id, broker, topology, .last(age), within: .seconds(4))
            guard event == nil else { return try self.print(event) }
            guard ended.ending.state == "succeeded" else {
                throw Failure(
                    .failed,
                    "the job has ended before: \(ended.ending.state) \(ended.ending.error ?? "")"
                )
            }
        }
    }

    private var waitingTime: Duration {
        get throws {
            guard let limit = DurationText(self.timeout)?.duration, limit > .zero else {
                throw Failure(.usage, "--timeout must be a duration such as 30s, 10m or 1h")
            }
            return limit
        }
    }

    /// Looks up how a job has ended; finds nothing for a job that has a new id, or where no database is set.
    private func ledger() async throws -> (JobID) async throws -> JobsTable.Ending? {
        guard self.id != nil, let database = try? await Settings.load({ $0.database() }) else {
            return { _ in nil }
        }
        return { job in
            try await Connections.withDatabase(database.pooled) { try await JobsTable($0).ending(of: job) }
        }
    }

    /// The newest event of the job from `start` on; nil if none came in time.
    private static func event(
        of job: JobID,
        _ broker: RabbitMQConfiguration,
        _ topology: Topology,
        _ start: EventStream.Start,
        within limit: Duration,
        onStart: () async throws -> Void = {}
    ) async throws -> EventText? {
        try await Connections.withBroker(broker) { connection in
            var event: EventText?
            do {
                try await EventStream(topology, on: connection).follow(
                    from: start,
                    until: .now.advanced(by: limit),
                    onStart: onStart
                ) { message in
                    guard message.properties.messageID?.hasPrefix(job.description) == true else {
                        return true
                    }
                    event = EventText(message.body)
                    return false
                }
            } catch is EventStream.TimeIsUp {
                return nil
            }
            return event
        }
    }

    private func print(_ event: EventText?) throws {
        if let data = event?.data { Terminal.print(json: data) }
        guard event?.isSuccess == true else {
            throw Failure(.failed, "the job died: \(event?.reason ?? "the connection was lost")")
        }
    }
}
