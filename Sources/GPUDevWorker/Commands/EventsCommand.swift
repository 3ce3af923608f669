import ArgumentParser
import Jobs
import RabbitMQ

/// `events`: follows the completion events.
struct EventsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "events",
        abstract: "Follow the completion events, one a line."
    )

    @Option(help: "Only those of jobs of this kind.")
    var kind: String?

    @Option(help: "Only those of this job.")
    var job: String?

    @Option(help: "Only these: completed or failed.")
    var ending: String?

    @Option(help: "Begin with events of this age, such as 1h or 7D, or with the first.")
    var since: String?

    @Flag(help: "Print each event as it is, in JSON.")
    var json = false

    func validate() throws {
        if let since, since != "first", since.wholeMatch(of: /[0-9]+[YMDhms]/) == nil {
            throw ValidationError("--since must be `first` or an age such as 30m, 1h or 7D")
        }
        if let ending, !["completed", "failed"].contains(ending) {
            throw ValidationError("--ending must be completed or failed")
        }
    }

    func run() async throws {
        let (broker, topology) = try await Settings.load({ $0.broker() }, { $0.topology() })
        let start: EventStream.Start = self.since.map { $0 == "first" ? .first : .last($0) } ?? .next
        try await Connections.withBroker(broker) { connection in
            try await EventStream(topology, on: connection).follow(from: start) { event in
                if self.isWanted(event) {
                    let text = String(decoding: event.body, as: UTF8.self)
                    guard !self.json, let event = EventText(event.body) else {
                        Terminal.print(json: text)
                        return true
                    }
                    Terminal.print(event.line.cleaned())
                }
                return true
            }
        }
    }

    private func isWanted(_ event: Message) -> Bool {
        let type = event.properties.type ?? ""
        if let kind, !type.hasPrefix("\(kind).") { return false }
        if let ending, !type.hasSuffix(".\(ending)") { return false }
        if let job, event.properties.messageID?.hasPrefix(job.lowercased()) != true { return false }
        return true
    }
}
