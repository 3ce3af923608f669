/// Makes broken inputs of whole ones.
struct Mutator {
    private static let longestInput = 1 << 15

    let samples: [[UInt8]]
    let words: [[UInt8]]

    /// One to eight changes to one of the samples; now and then bytes without any sense.
    func input(_ random: inout SplitMix64) -> [UInt8] {
        guard let sample = self.samples.randomElement(using: &random),
            Int.random(in: 0..<64, using: &random) > 0
        else { return Self.noise(&random, 0...256) }
        var bytes = sample
        for _ in 0..<Int.random(in: 1...8, using: &random) { self.change(&bytes, &random) }
        return Array(bytes.prefix(Self.longestInput))
    }

    private func change(_ bytes: inout [UInt8], _ random: inout SplitMix64) {
        let place = Int.random(in: 0...bytes.count, using: &random)
        let range = self.range(in: bytes, from: place, &random)
        switch Int.random(in: 0..<13, using: &random) {
        case 0: bytes.flipBit(at: place, UInt8.random(in: 0..<8, using: &random))
        case 1: bytes.set(at: place, Self.edges.randomElement(using: &random) ?? 0)
        case 2: bytes.insert(contentsOf: Self.noise(&random, 1...8), at: place)
        case 3: bytes.removeSubrange(range)
        case 4: bytes.insert(contentsOf: bytes[range], at: place)
        case 5: bytes.insert(contentsOf: Self.repeated(bytes[range], &random), at: place)
        case 6: bytes.removeSubrange(place...)
        case 7: self.splice(&bytes, at: place, &random)
        case 8: bytes.insert(contentsOf: self.words.randomElement(using: &random) ?? [], at: place)
        case 9: bytes.replaceSubrange(range, with: self.words.randomElement(using: &random) ?? [])
        case 10: bytes.replaceNumber(from: place, with: Self.numbers.randomElement(using: &random) ?? "")
        case 11: bytes.insert(contentsOf: Self.brokenText.randomElement(using: &random) ?? [], at: place)
        default: self.nest(&bytes, range, &random)
        }
    }

    /// Mostly a few bytes, at times all that follows.
    private func range(in bytes: [UInt8], from place: Int, _ random: inout SplitMix64) -> Range<Int> {
        let longest = Int.random(in: 0..<8, using: &random) == 0 ? bytes.count : 16
        let end = min(bytes.count, place + Int.random(in: 0...longest, using: &random))
        return place..<end
    }

    private func splice(_ bytes: inout [UInt8], at place: Int, _ random: inout SplitMix64) {
        guard let other = self.samples.randomElement(using: &random) else { return }
        bytes.replaceSubrange(place..., with: other.suffix(Int.random(in: 0...other.count, using: &random)))
    }

    private func nest(_ bytes: inout [UInt8], _ range: Range<Int>, _ random: inout SplitMix64) {
        guard let (open, close) = Self.brackets.randomElement(using: &random) else { return }
        let depth = [1, 2, 63, 64, 65, 130, 600].randomElement(using: &random) ?? 1
        let opening = Array(String(repeating: open, count: depth).utf8)
        let closing = Array(String(repeating: close, count: depth).utf8)
        bytes.replaceSubrange(range, with: opening + bytes[range] + closing)
    }

    private static func noise(_ random: inout SplitMix64, _ count: ClosedRange<Int>) -> [UInt8] {
        (0..<Int.random(in: count, using: &random)).map { _ in UInt8.random(in: .min ... .max, using: &random)
        }
    }

    private static func repeated(_ bytes: ArraySlice<UInt8>, _ random: inout SplitMix64) -> [UInt8] {
        let times = [2, 3, 17, 256].randomElement(using: &random) ?? 2
        return (0..<min(times, 4096 / max(1, bytes.count))).flatMap { _ in bytes }
    }

    private static let edges: [UInt8] = [
        0, 1, 0x09, 0x0A, 0x20, 0x22, 0x27, 0x2D, 0x2F, 0x3C, 0x5C, 0x7F, 0x80, 0xFF,
    ]

    private static let numbers = [
        "0", "-0", "-1", "1", "255", "256", "32767", "65535", "65536", "999999", "2147483647", "2147483648",
        "-2147483648", "4294967295", "4294967296", "9007199254740993", "9223372036854775807",
        "9223372036854775808", "-9223372036854775808", "-9223372036854775809", "18446744073709551615",
        "18446744073709551616", "1e308", "1e400", "1e-400", "1e999999999", "0.1", "1.0", "00", "01", "+1",
        "1e", ".5",
        "NaN", "Infinity", "0x10", "١",
    ]

    private static let brackets = [
        ("[", "]"), ("{\"a\":", "}"), ("<a>", "</a>"), ("<a:b c='d'>", "</a:b>"), ("{", "}"), ("\"", "\""),
        ("[[\"a\",\"F\",", "]]"), ("[\"A\",", "]"), ("<!--", "-->"), ("<![CDATA[", "]]>"), ("(", ")"),
    ]

    /// Over-long forms, halves of surrogates, lone and missing continuations, a byte order mark, combining marks.
    private static let brokenText: [[UInt8]] = [
        [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xED, 0xBF, 0xBF], [0x80], [0xE2, 0x82], [0xF0, 0x9F, 0x98],
        [0xF4, 0x90, 0x80, 0x80], [0xFE], [0xFF, 0xFE], [0xEF, 0xBB, 0xBF], Array("e\u{301}\u{301}".utf8),
        Array("\u{202E}".utf8), Array("\u{FFFD}".utf8), Array("\u{1F1E6}\u{1F1E6}".utf8), Array("\r\n".utf8),
    ]
}

extension [UInt8] {
    fileprivate mutating func flipBit(at place: Int, _ bit: UInt8) {
        if place < self.count { self[place] ^= 1 << bit }
    }

    fileprivate mutating func set(at place: Int, _ byte: UInt8) {
        if place < self.count { self[place] = byte }
    }

    /// Puts another number where the next one stands.
    fileprivate mutating func replaceNumber(from place: Int, with number: String) {
        let isDigit: (UInt8) -> Bool = { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        guard let start = self[place...].firstIndex(where: isDigit) else { return }
        let end = self[start...].firstIndex { !isDigit($0) } ?? self.endIndex
        self.replaceSubrange(start..<end, with: Array(number.utf8))
    }
}
