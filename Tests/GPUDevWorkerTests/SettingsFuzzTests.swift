import Fuzzing
import Testing

@testable import GPUDevWorker

@Suite struct SettingsFuzzTests {
    @Test func `a duration is read or refused`() throws {
        let samples = ["500ms", "5s", "10m", "1h", "7d", "999999999d", "0s"]
        try Fuzzer("durations", texts: samples, words: ["ms", "s", "m", "h", "d", "-", "."]).run { bytes in
            let text = String(decoding: bytes, as: UTF8.self)
            guard let duration = DurationText(text)?.duration else { return }
            try hold(duration >= .zero, "a duration below zero")
            try hold(text.utf8.allSatisfy { Unicode.Scalar($0).isASCII }, "other digits")
            try hold(text.utf8.count <= 11, "too many digits")
        }
    }
}
