import Calls
import HTTP
import MetricFamilies
import Tracing

extension CalledSystem {
    fileprivate static let kubernetes = CalledSystem(
        "kubernetes",
        requests: CounterFamily(
            "gpudev_kubernetes_calls_total",
            "Requests to the API server, retries included."
        )
    )
}

extension CallRecord {
    init(of request: APIRequest, to access: ClusterAccess, _ tracer: (any Tracer)?) {
        self.init(
            to: .kubernetes,
            operation: request.operation,
            method: request.method.rawValue,
            server: URLParts(access.server).map { ($0.host, $0.port) },
            tracer
        )
    }

    /// - Parameter error: What went wrong; nil if nothing did.
    func end(with error: KubernetesError?) {
        let outcome = error.map { CallOutcome.failure(code: $0.code.rawValue, message: $0.description) }
        self.end(with: outcome ?? .success, status: error?.status)
    }
}
