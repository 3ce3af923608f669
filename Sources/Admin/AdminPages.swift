import HTTPTypes
import Hummingbird

/// What the admin port has to say, asked for anew at each request.
package struct AdminPages: Sendable {
    /// One thing that was looked at, and what is wrong with it; nil if nothing is.
    package typealias Check = (name: String, trouble: String?)

    private let readiness: @Sendable () -> [Check]
    private let liveness: @Sendable () -> [Check]
    private let metrics: @Sendable () -> String
    private let version: String

    /// - Parameters:
    ///   - readiness: What has to be there for jobs to be taken.
    ///   - liveness: What has to move.
    ///   - metrics: All metrics, in Prometheus' text format.
    ///   - version: The program's, as a JSON object.
    package init(
        readiness: @escaping @Sendable () -> [Check],
        liveness: @escaping @Sendable () -> [Check],
        metrics: @escaping @Sendable () -> String,
        version: String
    ) {
        self.readiness = readiness
        self.liveness = liveness
        self.metrics = metrics
        self.version = version
    }

    func router() -> Router<BasicRequestContext> {
        let router = Router(options: [.autoGenerateHeadEndpoints])
        router.get("startupz") { request, _ in self.answer([], to: request) }
        router.get("readyz") { request, _ in self.answer(self.readiness(), to: request) }
        router.get("livez") { request, _ in self.answer(self.liveness(), to: request) }
        router.get("metrics") { _, _ in
            Self.response(.ok, "text/plain; version=0.0.4; charset=utf-8", self.metrics())
        }
        router.get("version") { _, _ in Self.response(.ok, "application/json", self.version + "\n") }
        return router
    }

    /// 200, or 503 with a line for each thing that is wanting; with `?verbose` all that was looked at, as JSON.
    private func answer(_ checks: [Check], to request: Request) -> Response {
        let troubles = checks.filter { $0.trouble != nil }
        let status: HTTPResponse.Status = troubles.isEmpty ? .ok : .serviceUnavailable
        guard request.uri.queryParameters["verbose"] == nil else {
            return Self.response(status, "application/json", VerboseAnswer(checks).json)
        }
        // What a server said may have several lines.
        let lines = troubles.map { check in
            "\(check.name): \(check.trouble ?? "")".split(whereSeparator: \.isNewline).joined(separator: " ")
        }
        return Self.response(
            status,
            "text/plain; charset=utf-8",
            (lines.isEmpty ? ["ok"] : lines).joined(separator: "\n") + "\n"
        )
    }

    private static func response(_ status: HTTPResponse.Status, _ type: String, _ body: String) -> Response {
        Response(
            status: status,
            headers: [.contentType: type, .cacheControl: "no-store"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: body))
        )
    }
}
