import Jobs

extension ValueSchema {
    /// An Amazon resource name.
    static let arn = ValueSchema.text(pattern: "^arn:")

    /// That of a resource of load balancing.
    static func arn(of resource: String) -> ValueSchema {
        .text(pattern: "^arn:[^:]+:elasticloadbalancing:[^:]*:[0-9]{12}:\(resource)/.+$")
    }
}
