import Calls

/// What may help a request whose signature was refused.
enum CredentialRemedy: Identifiable, Equatable, Sendable {
    /// Take the server's clock to be so far ahead of ours.
    case correctClock(Duration)
    /// Ask for other keys than these.
    case renew(AWSCredentials?)

    enum Kind { case clock, keys }

    var id: Kind {
        switch self {
        case .correctClock: .clock
        case .renew: .keys
        }
    }
}

extension AttemptFailure where Failure == AWSError, Remedy == CredentialRemedy {
    /// - Parameters:
    ///   - error: What the attempt failed with.
    ///   - operation: What was attempted.
    ///   - clock: What the answer told of the server's clock, if anything.
    ///   - credentials: The keys it was signed with.
    init(
        _ error: AWSError,
        of operation: AWSOperation,
        clock: ClockReading? = nil,
        credentials: AWSCredentials? = nil
    ) {
        var remedies: [CredentialRemedy] = []
        if error.code == .credentials {
            // A wrong clock looks like wrong keys, so it comes first.
            if let clock, clock.isOff, error.mayComeFromClock { remedies.append(.correctClock(clock.skew)) }
            if error.mayComeFromOldKeys { remedies.append(.renew(credentials)) }
        }
        self.init(error, mostAttempts: operation.mostAttempts(after: error), remedies: remedies)
    }
}

extension AWSOperation {
    /// The most attempts of one call, the first included.
    ///
    /// A change that another one of the zone stands in the way of is waited out for as long as its deadline allows.
    fileprivate func mostAttempts(after error: AWSError) -> Int {
        if error.waitsForPriorRequest { return 12 }
        return self.effect == .read ? 4 : 3
    }
}
