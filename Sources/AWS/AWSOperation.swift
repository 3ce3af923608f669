/// One operation of a service: what retries, limits and error messages need to know of it.
struct AWSOperation: Hashable, Sendable {
    /// What a repetition would do.
    enum Effect: Hashable, Sendable {
        case read
        /// A write that may be repeated.
        case idempotentWrite
        /// A write that a repetition would do twice, or that it would be refused for.
        case write
    }

    let service: AWSService
    let name: String
    let effect: Effect
    let rate: RateClass
    let isSigned: Bool

    init(
        _ service: AWSService,
        _ name: String,
        _ effect: Effect,
        rate: RateClass = .unlimited,
        isSigned: Bool = true
    ) {
        self.service = service
        self.name = name
        self.effect = effect
        self.rate = rate
        self.isSigned = isSigned
    }

    /// How errors and metrics call it, such as `ec2.CreateSnapshot`.
    var label: String { "\(self.service.rawValue).\(self.name)" }
}
