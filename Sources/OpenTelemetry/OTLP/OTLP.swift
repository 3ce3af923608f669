/// The shapes of OTLP over HTTP as JSON (opentelemetry-proto 1.x, `ExportTraceServiceRequest`): names in lower camel
/// case, ids as hexadecimal digits, 64-bit numbers as text.
enum OTLP {
    /// One request.
    struct Request: Encodable {
        let resourceSpans: [ResourceSpans]

        init(_ spans: [SpanRecord], of resource: Resource) {
            let scope = ScopeSpans(scope: Scope(), spans: spans.map { Span($0) })
            self.resourceSpans = [ResourceSpans(resource: resource, scopeSpans: [scope])]
        }
    }

    struct ResourceSpans: Encodable {
        let resource: Resource
        let scopeSpans: [ScopeSpans]
    }

    /// The resource: the program, its version, and what the environment says of it.
    struct Resource: Encodable {
        let attributes: [Attribute]

        init(_ attributes: [String: String], version: String) {
            var attributes = attributes
            attributes["service.version"] = attributes["service.version"] ?? version
            attributes["telemetry.sdk.language"] = "swift"
            attributes["telemetry.sdk.name"] = "gpudev-worker"
            attributes["telemetry.sdk.version"] = version
            self.attributes = attributes.sorted { $0.key < $1.key }.map { Attribute($0, .string($1)) }
        }
    }

    struct ScopeSpans: Encodable {
        let scope: Scope
        let spans: [Span]
    }

    struct Scope: Encodable {
        var name = "gpudev-worker"
    }
}
