import HTTP

/// Where spans go and which: what OpenTelemetry's variables say, as far as they are about traces.
///
/// Source: OpenTelemetry specification, "Environment variable specification" and "OTLP exporter configuration".
package struct TraceSettings: Sendable {
    /// The URL that takes `ExportTraceServiceRequest`s.
    let endpoint: String
    /// Sent with each request; may hold secrets.
    let headers: [(String, String)]
    /// How long one export may take.
    let timeout: Duration
    let tls: TLSOptions?
    let sampler: Sampler
    /// What the spans are about.
    let resource: [String: String]

    /// Nil if nobody wants traces.
    ///
    /// - Parameters:
    ///   - value: Looks up a variable.
    ///   - fault: Gets a sentence for each that cannot be used.
    package init?(_ value: (String) -> String?, fault: (String) -> Void) {
        let specific = value("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
        guard value("OTEL_SDK_DISABLED")?.lowercased() != "true", value("OTEL_TRACES_EXPORTER") != "none",
            let endpoint = specific ?? value("OTEL_EXPORTER_OTLP_ENDPOINT").map({ $0.withPath("v1/traces") })
        else { return nil }
        func exporter(_ name: String) -> String? {
            value("OTEL_EXPORTER_OTLP_TRACES_\(name)") ?? value("OTEL_EXPORTER_OTLP_\(name)")
        }
        if !endpoint.hasPrefix("http://"), !endpoint.hasPrefix("https://") {
            fault("OTEL_EXPORTER_OTLP_ENDPOINT must be a URL such as http://collector:4318")
        }
        if let transport = exporter("PROTOCOL"), transport != "http/json" {
            fault(
                "OTEL_EXPORTER_OTLP_PROTOCOL must be http/json, which a collector takes at its HTTP port (4318)"
            )
        }
        if let name = value("OTEL_TRACES_EXPORTER"), name != "otlp" {
            fault("OTEL_TRACES_EXPORTER must be otlp or none")
        }
        var timeout = 10_000
        if let text = exporter("TIMEOUT") {
            timeout = Int(text) ?? 0
            if timeout <= 0 { fault("OTEL_EXPORTER_OTLP_TIMEOUT must be a number of milliseconds") }
        }
        self.endpoint = endpoint
        self.headers = Self.pairs(exporter("HEADERS") ?? "") {
            fault("OTEL_EXPORTER_OTLP_HEADERS must be NAME=VALUE, with commas in between")
        }
        self.timeout = .milliseconds(timeout)
        self.tls = exporter("CERTIFICATE").map {
            var tls = TLSOptions()
            tls.authorities = .file($0)
            return tls
        }
        self.sampler = Self.sampler(value("OTEL_TRACES_SAMPLER"), value("OTEL_TRACES_SAMPLER_ARG"), fault)
        let attributes = Self.pairs(value("OTEL_RESOURCE_ATTRIBUTES") ?? "") {
            fault("OTEL_RESOURCE_ATTRIBUTES must be NAME=VALUE, with commas in between")
        }
        var resource = Dictionary(attributes) { $1 }
        resource["service.name"] = value("OTEL_SERVICE_NAME") ?? resource["service.name"] ?? "gpudev-worker"
        self.resource = resource
    }

    private static func sampler(_ name: String?, _ argument: String?, _ fault: (String) -> Void) -> Sampler {
        let share = argument.map { Double($0) ?? -1 } ?? 1
        let sampler: Sampler? =
            switch name ?? "parentbased_always_on" {
            case "always_on": .always
            case "always_off": .never
            case "traceidratio": .ratio(share)
            case "parentbased_always_on": .parent(orElse: .always)
            case "parentbased_always_off": .parent(orElse: .never)
            case "parentbased_traceidratio": .parent(orElse: .ratio(share))
            default: nil
            }
        guard let sampler else {
            fault(
                "OTEL_TRACES_SAMPLER must be one of always_on, always_off, traceidratio and these with "
                    + "parentbased_ in front"
            )
            return .never
        }
        if name?.hasSuffix("traceidratio") == true, !(0...1).contains(share) {
            fault("OTEL_TRACES_SAMPLER_ARG must be a share of all traces, from 0 to 1")
        }
        return sampler
    }

    /// Reads `name=value,name=value` with percent-encoded values.
    private static func pairs(_ text: String, orElse fault: () -> Void) -> [(String, String)] {
        text.split(separator: ",").compactMap { pair in
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                .map { $0.trimmingFieldSpace }
            guard parts.count == 2, !parts[0].isEmpty, let value = parts[1].percentDecoded else {
                fault()
                return nil
            }
            return (parts[0], value)
        }
    }
}

extension TraceSettings: CustomStringConvertible {
    /// Without the headers, which may hold a key.
    package var description: String { "spans to \(self.endpoint)" }
}

extension String {
    fileprivate func withPath(_ path: String) -> String { self + (self.hasSuffix("/") ? "" : "/") + path }
}
