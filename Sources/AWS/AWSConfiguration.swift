import Calls
import FoundationEssentials

/// Where AWS is and who asks: region, endpoints, source of credentials.
package struct AWSConfiguration: Sendable {
    package let region: String
    let endpoints: [AWSService: Endpoint]
    let environment: @Sendable (String) -> String?
    /// How many times the usual allowance of requests this process may use.
    let rateFactor: Double
    /// Reads the clock that dates signatures and judges the age of credentials.
    var now: @Sendable () -> Date = { Date() }
    var retries = RetryPolicy()

    /// Reads the standard variables: region, endpoints; credentials are read when they are needed.
    ///
    /// Endpoints: `AWS_ENDPOINT_URL_<SERVICE>`, then `AWS_ENDPOINT_URL`, then AWS's own; the first two do not count
    /// under `AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true`. (AWS SDKs and Tools Reference Guide, service-specific
    /// endpoints.)
    ///
    /// `AWS_RATE_FACTOR` says how many times the usual allowance of an account this process may use: more where AWS has
    /// raised it, less where replicas share it.
    ///
    /// - Parameter environment: Looks up a variable; nil where it is not set.
    /// - Throws: `configuration`, naming the variable that is missing or cannot be used.
    package init(environment: @escaping @Sendable (String) -> String?) throws(AWSError) {
        let read: @Sendable (String) -> String? = { name in
            environment(name).flatMap { $0.isEmpty ? nil : $0 }
        }
        guard let region = read("AWS_REGION") ?? read("AWS_DEFAULT_REGION") else {
            throw AWSError.configuration("AWS_REGION is not set")
        }
        guard region.utf8.allSatisfy({ $0.isRegionCharacter }) else {
            throw AWSError.configuration("AWS_REGION is no name of a region")
        }
        for variable in ["AWS_USE_DUALSTACK_ENDPOINT", "AWS_USE_FIPS_ENDPOINT"] where read(variable) == "true"
        {
            throw AWSError.configuration(
                "\(variable) is not supported: set AWS_ENDPOINT_URL_<SERVICE> instead"
            )
        }
        guard let factor = Double(read("AWS_RATE_FACTOR") ?? "1"), factor.isFinite, factor > 0 else {
            throw AWSError.configuration("AWS_RATE_FACTOR must be a number above 0, such as 0.5")
        }
        self.rateFactor = factor
        self.region = region
        self.environment = read
        self.endpoints = try Self.endpoints(region, read)
    }

    /// The region that signatures for a service name; Route 53 lives in one for all.
    func signingRegion(for service: AWSService) -> String {
        guard service == .route53 else { return self.region }
        return self.region.hasPrefix("cn-") ? "cn-northwest-1" : "us-east-1"
    }

    private static func endpoints(
        _ region: String,
        _ environment: (String) -> String?
    ) throws(AWSError) -> [AWSService: Endpoint] {
        let usesConfigured = environment("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")?.lowercased() != "true"
        var endpoints: [AWSService: Endpoint] = [:]
        for service in AWSService.allCases {
            var url = service.standardEndpoint(region: region)
            var source = "AWS_REGION"
            for name in ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_\(service.environmentName)"]
            where usesConfigured {
                guard let configured = environment(name) else { continue }
                (url, source) = (configured, name)
            }
            guard let endpoint = Endpoint(url) else {
                throw AWSError.configuration("\(source) is no usable URL")
            }
            endpoints[service] = endpoint
        }
        return endpoints
    }
}

extension AWSService {
    /// AWS's own endpoint; Route 53 has one for the whole partition.
    fileprivate func standardEndpoint(region: String) -> String {
        let isChina = region.hasPrefix("cn-")
        let suffix = isChina ? "amazonaws.com.cn" : "amazonaws.com"
        if self == .route53 { return "https://route53.\(suffix)" }
        return "https://\(self.signingName).\(region).\(suffix)"
    }
}

extension AWSError {
    static func configuration(_ message: String) -> AWSError {
        AWSError(code: .configuration, operation: "aws.configuration", message: message)
    }
}

extension UInt8 {
    fileprivate var isRegionCharacter: Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(self)
            || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self) || self == UInt8(ascii: "-")
    }
}
