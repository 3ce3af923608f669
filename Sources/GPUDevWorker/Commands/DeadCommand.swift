import ArgumentParser
import FoundationEssentials
import Jobs
import RabbitMQ

/// `dead`: the dead queues.
struct DeadCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dead",
        abstract: "Look into the dead queues, and bring letters back.",
        subcommands: [List.self, Show.self, Replay.self]
    )

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List dead letters, the oldest first; they stay where they are."
        )

        @OptionGroup var choice: DeadLetterOptions

        @Flag(help: "Print an array of objects.")
        var json = false

        func run() async throws {
            let letters = try await self.choice.letters()
            if self.json {
                let encoder = JSONEncoder()
                encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
                let summaries = letters.map { DeadLetterSummary($0) }
                return Terminal.print(json: String(decoding: try encoder.encode(summaries), as: UTF8.self))
            }
            for letter in letters { Terminal.print(DeadLetterSummary(letter).line) }
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show dead letters with their headers and bodies."
        )

        @OptionGroup var choice: DeadLetterOptions

        func run() async throws {
            let letters = try await self.choice.letters()
            guard !letters.isEmpty else { throw Failure(.failed, "no such letter") }
            for letter in letters {
                Terminal.print(DeadLetterSummary(letter).line)
                for header in letter.message.properties.headers.entries {
                    Terminal.print("    \(header.name): \(header.value.shown)".cleaned())
                }
                Terminal.print(String(decoding: letter.message.body, as: UTF8.self).cleaned())
            }
        }
    }

    struct Replay: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Send letters back to where they came from; safe to interrupt and to repeat."
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
            let letters = try await self.choice.letters()
            if self.dryRun {
                for letter in letters { Terminal.print(DeadLetterSummary(letter).line) }
                return
            }
            guard !letters.isEmpty else { return Terminal.print("replayed 0 letters") }
            guard Terminal.confirms("Replay \(letters.count) letters?") else {
                throw Failure(.failed, "nothing was replayed")
            }
            var bar = ProgressBar("replaying", total: letters.count)
            let count = try await self.choice.replay(atMost: letters.count, pause: self.pause) {
                bar.advance()
            }
            bar.finish()
            Terminal.print("replayed \(count) letters")
            if count < letters.count {
                throw Failure(.partly, "\(letters.count - count) letters were gone or taken by somebody else")
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
