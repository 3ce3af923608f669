/// The services of AWS that the worker talks to.
enum AWSService: String, Sendable, CaseIterable {
    case ec2
    case elasticLoadBalancing = "elbv2"
    case route53
    case sts
    case s3
    case autoScaling = "autoscaling"
    case eks

    /// The name in the scope of a signature and, but for S3's buckets, in the host name.
    var signingName: String {
        switch self {
        case .elasticLoadBalancing: "elasticloadbalancing"
        default: self.rawValue
        }
    }

    /// The service in `AWS_ENDPOINT_URL_<SERVICE>`.
    var environmentName: String {
        switch self {
        case .ec2: "EC2"
        case .elasticLoadBalancing: "ELASTIC_LOAD_BALANCING_V2"
        case .route53: "ROUTE_53"
        case .sts: "STS"
        case .s3: "S3"
        case .autoScaling: "AUTO_SCALING"
        case .eks: "EKS"
        }
    }

    /// The version of the interface that requests name; for form services only.
    var apiVersion: String {
        switch self {
        case .ec2: "2016-11-15"
        case .elasticLoadBalancing: "2015-12-01"
        case .route53: "2013-04-01"
        case .sts: "2011-06-15"
        case .s3: "2006-03-01"
        case .autoScaling: "2011-01-01"
        case .eks: "2017-11-01"
        }
    }
}
