import Calls
import HTTP
import Tracing

extension CalledSystem {
    fileprivate static let aws = CalledSystem(
        "aws-api",
        counter: "gpudev_aws_calls_total",
        timer: "gpudev_aws_call_duration_seconds"
    )
}

extension CallRecord {
    /// The span follows OpenTelemetry's conventions for the AWS SDK.
    init(of request: AWSRequest, at endpoint: Endpoint, _ tracer: (any Tracer)?) {
        self.init(
            to: .aws,
            service: request.operation.service.rawValue,
            operation: request.operation.name,
            method: request.method.rawValue,
            server: URLParts("\(endpoint.scheme)://\(endpoint.authority)").map { ($0.host, $0.port) },
            tracer
        )
    }

    /// - Parameters:
    ///   - error: What went wrong; nil if nothing did.
    ///   - response: What AWS answered; nil if it did not.
    func end(with error: AWSError?, _ response: HTTPResponse? = nil) {
        self.span?.attributes["aws.request_id"] = error?.requestID
        let outcome = error.map { CallOutcome.failure(code: $0.code.rawValue, message: $0.description) }
        self.end(with: outcome ?? .success, status: response?.status)
    }
}
