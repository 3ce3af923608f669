/// Groups of operations with allowances of one size.
enum RateClass: Hashable, Sendable {
    case ec2Describe, ec2Mutate
    case loadBalancerDescribe, loadBalancerRegister, loadBalancerModify
    case route53
    case unlimited

    /// Requests a second, and how many may go at once after a pause.
    var allowance: (rate: Double, burst: Double) {
        switch self {
        case .ec2Describe: (10, 50)
        case .ec2Mutate: (3, 10)
        case .loadBalancerDescribe: (20, 100)
        case .loadBalancerRegister: (4, 20)
        case .loadBalancerModify: (3, 20)
        // Route 53 gives an account five a second in all, other tools included.
        case .route53: (2, 5)
        case .unlimited: (.infinity, .infinity)
        }
    }
}
