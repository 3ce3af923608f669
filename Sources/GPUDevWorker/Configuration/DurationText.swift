import Jobs

/// A duration as settings write it: `500ms`, `5s`, `10m`, `1h`, `7d`.
struct DurationText {
    let duration: Duration

    init?(_ text: String) {
        let digits = text.utf8.prefix { ASCIISet.digits.contains($0) }
        guard digits.count <= 9, let number = Int(Substring(digits)) else { return nil }
        switch text.dropFirst(digits.count) {
        case "ms": self.duration = .milliseconds(number)
        case "s": self.duration = .seconds(number)
        case "m": self.duration = .seconds(number * 60)
        case "h": self.duration = .seconds(number * 3600)
        case "d": self.duration = .seconds(number * 86400)
        default: return nil
        }
    }
}
