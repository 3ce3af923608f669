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

extension AWSOperation {
    /// The actions that a policy has to allow for it, as far as they do not depend on what exists.
    ///
    /// Tags that go with a create need a permission of their own. Without `s3:ListBucket` an object that does not exist
    /// is a refusal and not an absence. (Service Authorization Reference; Amazon S3 API Reference, GetObject.)
    var permissions: [String] {
        let own = "\(self.service.signingName):\(self.name)"
        return switch (self.service, self.name) {
        case (.sts, _): []
        case (.ec2, "CreateVolume"), (.ec2, "CreateSnapshot"): [own, "ec2:CreateTags"]
        case (.elasticLoadBalancing, "CreateTargetGroup"), (.elasticLoadBalancing, "CreateRule"):
            [own, "elasticloadbalancing:AddTags"]
        case (.s3, "GetObject"): [own, "s3:ListBucket"]
        default: [own]
        }
    }
}
