import Foundation

/// Gives a decoder mutations of valid samples and looks whether what it does with them is right.
///
/// The same seed makes the same inputs. `FUZZ_INPUTS` says how many, `FUZZ_SEED` from which seed on; `FUZZ_REPLAY` is one
/// input in base64 that is given to every decoder alone. What kills the process is printed before it ends.
package struct Fuzzer {
    private let decoder: String
    private let mutator: Mutator
    private let settings = FuzzingSettings.current

    /// A fuzzer for one decoder; `words` are what its inputs are made of.
    package init(_ decoder: String, samples: [[UInt8]], words: [String] = []) {
        self.decoder = decoder
        self.mutator = Mutator(samples: samples, words: words.map { Array($0.utf8) })
    }

    /// The same with samples that are text.
    package init(_ decoder: String, texts: [String], words: [String] = []) {
        self.init(decoder, samples: texts.map { Array($0.utf8) }, words: words)
    }

    /// Runs `check` on every input; throws the first violation, with what is needed to see it again.
    package func run(_ check: ([UInt8]) throws -> Void) throws {
        let trace = InputTrace(self.decoder, seed: self.settings.seed)
        if let input = self.settings.replay { return try self.run(check, on: input, 0, trace) }
        for sample in self.mutator.samples { try self.run(check, on: sample, 0, trace) }
        let start = ContinuousClock.now
        for iteration in 1...self.settings.inputs {
            var random = SplitMix64(seed: self.settings.seed &+ iteration &* 0xD134_2543_DE82_EF95)
            try self.run(check, on: self.mutator.input(&random), iteration, trace)
        }
        let time = ContinuousClock.now - start
        let line = "fuzzed \(self.decoder): \(self.settings.inputs) inputs in \(time)\n"
        // At once, however long the others still take.
        FileHandle.standardError.write(Data(line.utf8))
    }

    private func run(
        _ check: ([UInt8]) throws -> Void,
        on input: [UInt8],
        _ iteration: UInt64,
        _ trace: InputTrace
    ) throws {
        trace.note(iteration, input)
        do {
            try check(input)
        } catch {
            throw FuzzingFailure(
                decoder: self.decoder,
                seed: self.settings.seed,
                iteration: iteration,
                input: input,
                reason: "\(error)"
            )
        }
    }
}

/// An input that a decoder does not treat right.
package struct FuzzingFailure: Error, CustomStringConvertible {
    let decoder: String
    let seed: UInt64
    let iteration: UInt64
    let input: [UInt8]
    let reason: String

    package var description: String {
        let base64 = Data(self.input).base64EncodedString()
        return
            "\(self.decoder): \(self.reason) (FUZZ_SEED=\(self.seed), input \(self.iteration), FUZZ_REPLAY=\(base64))"
    }
}

/// What a check throws when a rule is broken.
package struct Violation: Error, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
}

/// Throws a `Violation` unless the rule is kept.
package func hold(_ rule: @autoclosure () throws -> Bool, _ complaint: @autoclosure () -> String) throws {
    guard try rule() else { throw Violation(complaint()) }
}

struct FuzzingSettings {
    let inputs: UInt64
    let seed: UInt64
    let replay: [UInt8]?

    static let current = FuzzingSettings(ProcessInfo.processInfo.environment)

    private init(_ environment: [String: String]) {
        self.inputs = environment["FUZZ_INPUTS"].flatMap { UInt64($0) } ?? 3_000
        self.seed = environment["FUZZ_SEED"].flatMap { UInt64($0) } ?? 1
        self.replay = environment["FUZZ_REPLAY"].flatMap { Data(base64Encoded: $0) }.map { [UInt8]($0) }
    }
}
