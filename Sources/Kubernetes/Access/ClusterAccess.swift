package import HTTP

/// How to reach the API server now: where it is, whom to trust there, and who we are.
package struct ClusterAccess: Sendable {
    /// `https`, host, port and the prefix of a proxy's path, without a slash at the end.
    package var server: String
    /// The server's authority, and the certificate that we show if there is one.
    package var tls: TLSOptions
    /// The URL of a proxy on the way; nil for none.
    package var proxy: String?
    /// As secret as a password.
    package var token: String?
    /// When to ask again, though nothing was refused; nil for never.
    package var renewal: ContinuousClock.Instant?

    /// A way from its parts.
    package init(
        server: String,
        tls: TLSOptions,
        proxy: String? = nil,
        token: String? = nil,
        renewal: ContinuousClock.Instant? = nil
    ) {
        self.server = server.hasSuffix("/") ? String(server.dropLast()) : server
        self.tls = tls
        self.proxy = proxy
        self.token = token
        self.renewal = renewal
    }
}
