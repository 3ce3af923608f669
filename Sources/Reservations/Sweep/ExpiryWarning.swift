/// How many minutes before its end the user of a reservation is warned.
enum ExpiryWarning: Int, Sendable, CaseIterable {
    case thirty = 30
    case fifteen = 15
    case five = 5

    /// Where `warnings_sent` says that it was given.
    var key: String { "\(self.rawValue)min_warning_sent" }

    /// The one to give now: the smallest that is not below what is left, unless it was given.
    static func due(minutesLeft: Double, given: Set<ExpiryWarning>) -> ExpiryWarning? {
        guard minutesLeft > 0 else { return nil }
        let nearest = Self.allCases.filter { Double($0.rawValue) >= minutesLeft }
            .min { $0.rawValue < $1.rawValue }
        return nearest.flatMap { given.contains($0) ? nil : $0 }
    }

    /// This one and all that come before it, which nobody needs any more.
    var settled: [ExpiryWarning] { Self.allCases.filter { $0.rawValue >= self.rawValue } }
}
