import Testing

@testable import OpenTelemetry

@Suite struct TraceSettingsTests {
    private func settings(_ environment: [String: String]) -> (settings: TraceSettings?, faults: [String]) {
        var faults: [String] = []
        let settings = TraceSettings({ environment[$0] }, fault: { faults.append($0) })
        return (settings, faults)
    }

    private func good(_ more: [String: String] = [:]) throws -> TraceSettings {
        let endpoint = ["OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"]
        let (settings, faults) = self.settings(endpoint.merging(more) { $1 })
        #expect(faults.isEmpty)
        return try #require(settings)
    }

    @Test(arguments: [
        [:], ["OTEL_SERVICE_NAME": "x"],
        ["OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_SDK_DISABLED": "TRUE"],
        ["OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_TRACES_EXPORTER": "none"],
    ])
    func `traces are off unless somebody says where to`(environment: [String: String]) {
        let (settings, faults) = self.settings(environment)
        #expect(settings == nil && faults.isEmpty)
    }

    @Test func `the path is added to the base, with one slash`() throws {
        for base in ["http://c:4318", "http://c:4318/"] {
            #expect(
                try self.good(["OTEL_EXPORTER_OTLP_ENDPOINT": base]).endpoint == "http://c:4318/v1/traces"
            )
        }
        #expect(
            try self.good(["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://t/in"]).endpoint == "https://t/in"
        )
    }

    @Test func `what is said of traces goes before what is said of all signals`() throws {
        let settings = try self.good([
            "OTEL_EXPORTER_OTLP_HEADERS": "a=1", "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "b=2%2C3 , c = 4=5",
            "OTEL_EXPORTER_OTLP_TIMEOUT": "1000", "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": "2000",
        ])
        #expect(settings.headers.map(\.0) == ["b", "c"] && settings.headers.map(\.1) == ["2,3", "4=5"])
        #expect(settings.timeout == .seconds(2))
    }

    @Test(arguments: [
        (nil, nil, Sampler.parent(orElse: .always)), ("always_off", nil, .never), ("always_on", nil, .always),
        ("traceidratio", "0.25", .ratio(0.25)), ("parentbased_traceidratio", nil, .parent(orElse: .ratio(1))),
        ("parentbased_always_off", nil, .parent(orElse: .never)),
    ])
    func `samplers have OpenTelemetry's names`(name: String?, argument: String?, sampler: Sampler) throws {
        var more: [String: String] = [:]
        more["OTEL_TRACES_SAMPLER"] = name
        more["OTEL_TRACES_SAMPLER_ARG"] = argument
        #expect(try self.good(more).sampler == sampler)
    }

    @Test func `a service has a name in any case`() throws {
        #expect(try self.good().resource == ["service.name": "gpudev-worker"])
        let named = try self.good(["OTEL_RESOURCE_ATTRIBUTES": "service.name=a,k8s.pod.name=p%201"])
        #expect(named.resource == ["service.name": "a", "k8s.pod.name": "p 1"])
        #expect(
            try self.good(["OTEL_RESOURCE_ATTRIBUTES": "service.name=a", "OTEL_SERVICE_NAME": "b"]).resource
                == ["service.name": "b"]
        )
    }

    @Test(arguments: [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s"), ("OTEL_EXPORTER_OTLP_TIMEOUT", "0"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "secret"), ("OTEL_TRACES_EXPORTER", "jaeger"),
        ("OTEL_TRACES_SAMPLER", "often"), ("OTEL_RESOURCE_ATTRIBUTES", "=x"),
    ])
    func `what cannot be used is named, and not repeated`(name: String, value: String) {
        let endpoint = ["OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"]
        let (_, faults) = self.settings(endpoint.merging([name: value]) { $1 })
        #expect(faults.count == 1 && faults.allSatisfy { $0.hasPrefix("\(name) must be") })
        #expect(!faults.contains { $0.contains("secret") })
    }

    @Test(arguments: ["2", "-0.1", "half"])
    func `a share is between none and all`(argument: String) {
        let (_, faults) = self.settings([
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318", "OTEL_TRACES_SAMPLER": "traceidratio",
            "OTEL_TRACES_SAMPLER_ARG": argument,
        ])
        #expect(faults.count == 1 && faults[0].hasPrefix("OTEL_TRACES_SAMPLER_ARG must be"))
    }
}
