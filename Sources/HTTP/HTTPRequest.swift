/// One request.
package struct HTTPRequest: Sendable {
    package var method: HTTPMethod
    /// Absolute, `http` or `https`, percent-encoded; sent as it is.
    package var url: String
    package var headers: HTTPHeaders
    package var body: [UInt8]
    /// The time until the first byte of the answer, from when the request is given away.
    package var firstByteTimeout: Duration
    /// The largest body of an answer that is taken, in bytes.
    package var maximumResponseBytes: Int
    /// Whether it may go out a second time when a kept connection turns out to be dead.
    ///
    /// If not, it gets a new connection.
    package var mayBeRepeated = true
    /// Whom to trust and who we are for this request; nil for what the client has.
    package var tls: TLSOptions?
    /// The URL of a proxy on the way, instead of what the client does about proxies.
    package var proxy: String?

    /// A request with the limits of an ordinary read unless said otherwise.
    package init(
        _ method: HTTPMethod,
        _ url: String,
        headers: HTTPHeaders = [:],
        body: [UInt8] = [],
        firstByteTimeout: Duration = .seconds(30),
        maximumResponseBytes: Int = 16 << 20
    ) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
        self.firstByteTimeout = firstByteTimeout
        self.maximumResponseBytes = maximumResponseBytes
    }
}

/// The methods that the clients use.
package enum HTTPMethod: String, Sendable {
    case get = "GET"
    case head = "HEAD"
    case post = "POST"
    case put = "PUT"
    case patch = "PATCH"
    case delete = "DELETE"
}
