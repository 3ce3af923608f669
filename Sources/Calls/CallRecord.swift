package import MetricFamilies
import Metrics
import Traces
package import Tracing

/// One request to a system, under way: counted, timed and traced by its outcome.
///
/// Each attempt of a call is a request, and has a record of its own.
package struct CallRecord {
    private let system: CalledSystem
    private let service: String?
    private let operation: String
    private let start = ContinuousClock.now

    /// Nil where the trace of this task is not recorded.
    package let span: (any Span)?

    /// Begins the span of the request, named after its service or else its system.
    ///
    /// - Parameters:
    ///   - system: Where the request goes.
    ///   - service: Which of the system's services, where it has several.
    ///   - operation: What is called, from a small set.
    ///   - method: The method of HTTP.
    ///   - server: Where it listens; asked for only when a span is begun, which then has both.
    ///   - tracer: Gets the span; nil if nothing is traced.
    package init(
        to system: CalledSystem,
        service: String? = nil,
        operation: String,
        method: String,
        server: @autoclosure () -> (host: String, port: Int)?,
        _ tracer: (any Tracer)?
    ) {
        self.system = system
        self.service = service
        self.operation = operation
        self.span = tracer?.startCall("\(service ?? system.name).\(operation)")
        guard let span else { return }
        span.updateAttributes { attributes in
            attributes["rpc.system.name"] = system.name
            attributes["rpc.method"] = service.map { "\($0).\(operation)" } ?? operation
            attributes["http.request.method"] = method
            let server = server()
            attributes["server.address"] = server?.host
            attributes["server.port"] = server?.port
        }
    }

    /// Counts and times the request, and ends its span.
    ///
    /// - Parameters:
    ///   - outcome: How it ended.
    ///   - status: The status of HTTP that the span shall have, if any.
    package func end(with outcome: CallOutcome, status: Int?) {
        self.count(outcome.status)
        guard let span else { return }
        span.attributes["http.response.status_code"] = status
        switch outcome {
        case .success: span.end()
        case .failure(let code, let message): span.fail(code, message)
        }
    }

    private func count(_ status: String) {
        let service = self.service.map { [("service", $0)] } ?? []
        let labels = service + [("operation", self.operation), ("status", status)]
        self.system.requests(labels).increment()
        self.system.durations?(service).record(duration: self.start.duration(to: .now))
    }
}

/// How one request ended.
package enum CallOutcome: Sendable {
    case success

    /// - Parameters:
    ///   - code: From a small set, for grouping.
    ///   - message: For people, without secrets.
    case failure(code: String, message: String)

    /// In metrics.
    var status: String {
        switch self {
        case .success: "ok"
        case .failure(let code, _): code
        }
    }
}

/// A system that calls go to, as metrics and traces name it.
package struct CalledSystem: Sendable {
    /// `rpc.system.name` of its spans (OpenTelemetry, Semantic Conventions for RPC).
    let name: String

    /// Counts its requests, by `service` where it has several, `operation` and `status`.
    let requests: CounterFamily

    /// The time of its requests in seconds, by `service`; nil where they are not timed.
    let durations: HistogramFamily?

    package init(_ name: String, requests: CounterFamily, durations: HistogramFamily? = nil) {
        self.name = name
        self.requests = requests
        self.durations = durations
    }
}
