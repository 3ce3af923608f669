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
