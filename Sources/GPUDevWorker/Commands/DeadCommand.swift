import ArgumentParser
import FoundationEssentials
import Jobs
import RabbitMQ

/// `dead`: the dead queues.
struct DeadCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dead",
        abstract: "Inspect the dead queues, and replay their messages.",
        subcommands: [List.self, Show.self, Replay.self]
    )

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List dead-letter messages, the oldest first; they stay where they are."
        )

        @OptionGroup var choice: DeadLetterOptions

        @Flag(help: "Print an array of objects.")
        var json = false

        func run() async throws {
            let messages = try await self.choice.messages()
            if self.json {
                let encoder = JSONEncoder()
                encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
                let summaries = messages.map { DeadLetterSummary($0) }
                return Terminal.print(json: String(decoding: try encoder.encode(summaries), as: UTF8.self))
            }
            for message in messages { Terminal.print(DeadLetterSummary(message).line) }
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show dead-letter messages with their headers and bodies."
        )

        @OptionGroup var choice: DeadLetterOptions

        func run() async throws {
            let messages = try await self.choice.messages()
            guard !messages.isEmpty else { throw Failure(.failed, "there is no such dead-letter message") }
            for dead in messages {
                Terminal.print(DeadLetterSummary(dead).line)
                for header in dead.message.properties.headers.entries {
                    Terminal.print("    \(header.name): \(header.value.shown)".cleaned())
                }
                Terminal.print(String(decoding: dead.message.body, as: UTF8.self).cleaned())
            }
        }
    }

    struct Replay: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract:
                "Send dead-letter messages back to the queue that they came from; safe to interrupt and to repeat."
        )

        @OptionGroup var choice: DeadLetterOptions

        @Option(help: "Maximum number of messages a second.")
        var rate: Double?

        @Flag(help: "Only list what would be replayed.")
        var dryRun = false

        func validate() throws {
            if let rate, rate <= 0 { throw ValidationError("--rate must be more than 0") }
        }

        func run() async throws {
            let messages = try await self.choice.messages()
            if self.dryRun {
                for message in messages { Terminal.print(DeadLetterSummary(message).line) }
                return
            }
            guard !messages.isEmpty else { return Terminal.print("replayed 0 messages") }
            guard Terminal.confirms("Replay \(messages.count) messages?") else {
                throw Failure(.failed, "nothing was replayed")
            }
            var bar = ProgressBar("replaying", total: messages.count)
            let count = try await self.choice.replay(atMost: messages.count, pause: self.pause) {
                bar.advance()
            }
            bar.finish()
            Terminal.print("replayed \(count) messages")
            if count < messages.count {
                throw Failure(
                    .partly,
                    "\(messages.count - count) messages were gone or taken by somebody else"
                )
            }
        }

        private var pause: Duration { self.rate.map { .seconds(1 / $0) } ?? .zero }
    }
}

extension FieldValue {
    /// As a person reads it.
    fileprivate var shown: String {
        switch self {
        case .string(let text): text
        case .timestamp(let seconds): Date(timeIntervalSince1970: Double(seconds)).rfc3339
        default: self.integer.map { String($0) } ?? "\(self)"
        }
    }
}
