/// HTTP over libcurl: connections are kept and shared, all transfers run on one thread of the client's own.
///
/// Redirects are not followed, cookies not kept. Any task may use it at any time. When the last reference goes, or
/// at `shutdown`, transfers that still run end with `cancelled` and the thread ends.
package final class HTTPClient: Sendable {
    private let thread: TransferThread
    let configuration: HTTPClientConfiguration

    /// Starts the thread; connects on the first request only.
    package init(_ configuration: HTTPClientConfiguration = HTTPClientConfiguration()) {
        self.configuration = configuration
        self.thread = TransferThread(configuration)
    }

    deinit { self.thread.stop() }

    /// Sends a request and collects the answer, whatever its status.
    ///
    /// - Parameters:
    ///   - request: What to send, to whom.
    ///   - limit: The time for everything, from now to the last byte.
    /// - Returns: The complete answer.
    /// - Throws: When there is no complete answer; also when the task is cancelled, at once.
    package func send(_ request: HTTPRequest, within limit: Duration) async throws(HTTPError) -> HTTPResponse
    {
        let id = self.thread.nextTransferID()
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                self.thread.start(
                    TransferOrder(id: id, request: request, limit: limit, continuation: continuation)
                )
                // A cancellation that came before the order was in found nothing to cancel.
                if Task.isCancelled { self.thread.cancel(id) }
            }
        } onCancel: {
            self.thread.cancel(id)
        }
        return try result.get()
    }

    /// Ends all transfers with `cancelled`; so ends every later request.
    package func shutdown() { self.thread.stop() }
}

/// How a client connects; the same for all of its requests.
package struct HTTPClientConfiguration: Sendable {
    package var userAgent = "gpudev-worker"
    /// For name resolution, TCP and TLS together.
    package var connectTimeout: Duration = .seconds(3)
    /// How long an answer may stop in the middle.
    package var stallTimeout: Duration = .seconds(15)
    /// How long a connection without a request is kept.
    package var idleConnectionTimeout: Duration = .seconds(60)
    /// More requests to one host at a time than this wait for a connection.
    package var maximumConnectionsPerHost = 64
    /// Whether `http_proxy` and its like in the environment count.
    package var usesEnvironmentProxies = false
    package var tls = TLSOptions()

    /// Direct connections, the system's certificate authorities, short waits.
    package init() {}
}
