import HTTP
import Metrics
import Traces
import Tracing

/// One request under way: counted, timed and traced by what becomes of it.
struct CallRecord {
    private let operation: AWSOperation
    private let start = ContinuousClock.now
    private let span: (any Span)?

    /// The span follows OpenTelemetry's conventions for the AWS SDK.
    init(of request: AWSRequest, at endpoint: Endpoint, _ tracer: (any Tracer)?) {
        self.operation = request.operation
        self.span = tracer?.startCall(request.operation.label)
        guard let span else { return }
        span.updateAttributes { attributes in
            attributes["rpc.system.name"] = "aws-api"
            attributes["rpc.method"] = request.operation.label
            attributes["http.request.method"] = request.method.rawValue
            let server = URLParts("\(endpoint.scheme)://\(endpoint.authority)")
            attributes["server.address"] = server?.host
            attributes["server.port"] = server?.port
        }
    }

    /// - Parameters:
    ///   - error: What went wrong; nil if nothing did.
    ///   - response: What AWS answered; nil if it did not.
    func end(with error: AWSError?, _ response: HTTPResponse? = nil) {
        self.count(error?.code.rawValue ?? "ok")
        guard let span else { return }
        span.attributes["http.response.status_code"] = response?.status
        span.attributes["aws.request_id"] = error?.requestID
        if let error { span.fail(error.code.rawValue, error.description) } else { span.end() }
    }

    private func count(_ status: String) {
        let service = ("service", self.operation.service.rawValue)
        Counter(
            label: "gpudev_aws_calls_total",
            dimensions: [service, ("operation", self.operation.name), ("status", status)]
        ).increment()
        Metrics.Timer(label: "gpudev_aws_call_duration_seconds", dimensions: [service])
            .record(duration: self.start.duration(to: .now))
    }
}
