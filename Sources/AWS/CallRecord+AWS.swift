import Calls
import HTTP
import MetricFamilies
import Tracing

extension CalledSystem {
    fileprivate static let aws = CalledSystem(
        "aws-api",
        requests: CounterFamily(
            "gpudev_aws_calls_total",
            "Requests that were sent, retries included, by what AWS answered."
        ),
        durations: HistogramFamily(
            "gpudev_aws_call_duration_seconds",
            seconds: [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
            "From sending a request to the end of its response."
        )
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
