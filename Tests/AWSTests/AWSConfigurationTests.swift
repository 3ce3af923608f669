import Foundation
import Testing

@testable import AWS

@Suite struct AWSConfigurationTests {
    private func url(_ service: AWSService, _ environment: [String: String]) throws -> String {
        let endpoint = try #require(try AWSConfiguration { environment[$0] }.endpoints[service])
        return "\(endpoint.scheme)://\(endpoint.authority)\(endpoint.pathPrefix)"
    }

    @Test(arguments: [
        (AWSService.ec2, "eu-west-1", "https://ec2.eu-west-1.amazonaws.com"),
        (.elasticLoadBalancing, "us-east-2", "https://elasticloadbalancing.us-east-2.amazonaws.com"),
        (.route53, "eu-west-1", "https://route53.amazonaws.com"),
        (.sts, "cn-north-1", "https://sts.cn-north-1.amazonaws.com.cn"),
        (.s3, "eu-west-1", "https://s3.eu-west-1.amazonaws.com"),
    ])
    func `every service has AWS's endpoint`(service: AWSService, region: String, expected: String) throws {
        #expect(try self.url(service, ["AWS_REGION": region]) == expected)
    }

    @Test func `the endpoint of a service beats the one for all, which beats AWS's own`() throws {
        var environment = [
            "AWS_REGION": "eu-west-1", "AWS_ENDPOINT_URL": "http://LocalHost:5000/aws/",
            "AWS_ENDPOINT_URL_ROUTE_53": "https://[::1]:443",
        ]
        #expect(try self.url(.ec2, environment) == "http://localhost:5000/aws")
        #expect(try self.url(.route53, environment) == "https://[::1]")
        environment["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"] = "true"
        #expect(try self.url(.ec2, environment) == "https://ec2.eu-west-1.amazonaws.com")
    }

    @Test(
        arguments: [
            ([:], "AWS_REGION"), (["AWS_REGION": "eu/west"], "AWS_REGION"),
            (["AWS_REGION": "eu-west-1", "AWS_ENDPOINT_URL_EC2": "localhost:5000"], "AWS_ENDPOINT_URL_EC2"),
            (["AWS_REGION": "eu-west-1", "AWS_ENDPOINT_URL": "http://u:p@h"], "AWS_ENDPOINT_URL"),
            (["AWS_REGION": "eu-west-1", "AWS_USE_FIPS_ENDPOINT": "true"], "AWS_USE_FIPS_ENDPOINT"),
        ] as [([String: String], String)]
    )
    func `what cannot work is named`(environment: [String: String], variable: String) {
        let error = #expect(throws: AWSError.self) { try AWSConfiguration { environment[$0] } }
        #expect(error?.code == .configuration && error?.message.contains(variable) == true)
    }
}
