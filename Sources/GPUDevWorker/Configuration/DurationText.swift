/// A duration as settings write it: `500ms`, `5s`, `10m`, `1h`, `7d`.
struct DurationText {
    let duration: Duration

    init?(_ text: String) {
        guard let match = text.wholeMatch(of: /([0-9]{1,9})(ms|s|m|h|d)/), let number = Int(match.1) else {
            return nil
        }
        switch match.2 {
        case "ms": self.duration = .milliseconds(number)
        case "s": self.duration = .seconds(number)
        case "m": self.duration = .seconds(number * 60)
        case "h": self.duration = .seconds(number * 3600)
        default: self.duration = .seconds(number * 86400)
        }
    }
}
