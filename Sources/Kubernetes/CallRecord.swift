import HTTP
import Metrics
import Traces
import Tracing

/// One request under way: counted and traced by what becomes of it.
struct CallRecord {
    private let operation: String
    private let span: (any Span)?

    init(of request: APIRequest, to access: ClusterAccess, _ tracer: (any Tracer)?) {
        self.operation = request.operation
        self.span = tracer?.startCall("kubernetes.\(request.operation)")
        guard let span else { return }
        span.updateAttributes { attributes in
            attributes["rpc.system.name"] = "kubernetes"
            attributes["rpc.method"] = request.operation
            attributes["http.request.method"] = request.method.rawValue
            let server = URLParts(access.server)
            attributes["server.address"] = server?.host
            attributes["server.port"] = server?.port
        }
    }

    /// - Parameter error: What went wrong; nil if nothing did.
    func end(with error: KubernetesError?) {
        let labels = [("operation", self.operation), ("status", error?.code.rawValue ?? "ok")]
        Counter(label: "gpudev_kubernetes_calls_total", dimensions: labels).increment()
        guard let span else { return }
        span.attributes["http.response.status_code"] = error?.status
        if let error { span.fail(error.code.rawValue, error.description) } else { span.end() }
    }
}
