import Calls
import FoundationEssentials
package import HTTP
package import Logging
import ServiceLifecycle

/// Sends spans to a collector, in OTLP over HTTP as JSON, every second and at the end of the program.
///
/// A collector that is away costs nothing but spans: requests have a deadline, what waits is bounded.
package struct SpanExporter: Service {
    private let settings: TraceSettings
    private let queue = SpanQueue()
    private let http: HTTPClient
    private let resource: OTLP.Resource
    private let logger: Logger

    /// How long spans wait for company.
    private static let delay: Duration = .seconds(1)
    /// How long the last ones may take when the program ends.
    private static let flushTimeout: Duration = .seconds(3)
    private static let mostAttempts = 4
    private static let retries = RetryPolicy(
        transient: Backoff(base: .milliseconds(300), cap: .seconds(5), jitter: 1.0 / 3...1)
    )

    /// - Parameters:
    ///   - version: Of this program.
    ///   - http: Carries the requests; the caller shuts it down.
    ///   - logger: Gets lost spans at `warning`.
    package init(_ settings: TraceSettings, version: String, http: HTTPClient, logger: Logger) {
        self.settings = settings
        self.http = http
        self.resource = OTLP.Resource(settings.resource, version: version)
        self.logger = logger
    }

    /// Makes the spans that are exported here.
    package var tracer: OpenTelemetryTracer {
        OpenTelemetryTracer(sampler: self.settings.sampler, queue: self.queue)
    }

    /// Exports until the end is asked for, then what is left.
    package func run() async throws {
        await withGracefulShutdownHandler {
            await withTaskGroup { group in
                group.addTask {
                    while (try? await Task.sleep(for: Self.delay)) != nil { self.queue.wake() }
                }
                for await _ in self.queue.wakes { await self.export(within: self.settings.timeout) }
                await self.export(within: min(Self.flushTimeout, self.settings.timeout))
                group.cancelAll()
            }
        } onGracefulShutdown: {
            self.queue.finish()
        }
    }

    /// Sends all that waits; gives up at the first request that fails.
    private func export(within limit: Duration) async {
        let deadline = ContinuousClock.now + limit
        while true {
            let (spans, dropped) = self.queue.next()
            if dropped > 0 { self.complain(dropped, "there was no room for them") }
            guard !spans.isEmpty else { return }
            do {
                let rejected = try await self.send(spans, before: deadline)
                if let rejected { self.complain(rejected.count, rejected.reason) }
            } catch {
                return self.complain(spans.count, "\(error)")
            }
        }
    }

    /// Repeats what the collector has no time for; returns what it did not take of a request that it took.
    private func send(_ spans: [SpanRecord], before deadline: ContinuousClock.Instant) async throws
        -> OTLP.Answer.Rejection?
    {
        var request = HTTPRequest(
            .post,
            self.settings.endpoint,
            headers: HTTPHeaders([("Content-Type", "application/json")] + self.settings.headers),
            body: [UInt8](try JSONEncoder().encode(OTLP.Request(spans, of: self.resource))),
            firstByteTimeout: self.settings.timeout,
            maximumResponseBytes: 1 << 20
        )
        request.tls = self.settings.tls
        return try await RetryLoop(Self.retries, until: deadline).run { [request] _ in
            await self.attempt(request, before: deadline)
        }
    }

    private func attempt(
        _ request: HTTPRequest,
        before deadline: ContinuousClock.Instant
    ) async -> Result<OTLP.Answer.Rejection?, AttemptFailure<ExportError, Never>> {
        let response: HTTPResponse
        do {
            response = try await self.http.send(
                request,
                within: ContinuousClock.now.duration(to: deadline)
            )
        } catch {
            return .failure(AttemptFailure(ExportError(error), mostAttempts: Self.mostAttempts))
        }
        guard (200..<300).contains(response.status) else {
            let error = ExportError(status: response.status)
            return .failure(AttemptFailure(error, mostAttempts: Self.mostAttempts))
        }
        return .success(OTLP.Answer(response.body)?.rejection)
    }

    private func complain(_ count: Int, _ reason: String) {
        self.logger.warning("spans were lost", metadata: ["spans": "\(count)", "error": "\(reason)"])
    }
}
