import HTTP

/// One request to an API server, before anything is known of the server.
struct APIRequest: Sendable {
    /// Resource and verb, such as `pods.list`; for errors.
    let operation: String
    let method: HTTPMethod
    /// The segments of the path, not yet encoded.
    let path: [String]
    var query: [(String, String)]
    var body: [UInt8]
    /// The largest answer that is taken, in bytes.
    var maximumResponseBytes = 64 << 20

    init(
        _ operation: String,
        _ method: HTTPMethod,
        _ path: [String],
        query: [(String, String)] = [],
        body: [UInt8] = []
    ) {
        self.operation = operation
        self.method = method
        self.path = path
        self.query = query
        self.body = body
    }

    /// Path and query as they are sent.
    var target: String {
        let path = self.path.map { "/" + $0.percentEncoded() }.joined()
        let query = self.query.map { "\($0.0)=\($0.1.percentEncoded())" }.joined(separator: "&")
        return query.isEmpty ? path : "\(path)?\(query)"
    }

    /// The request as it goes to a server.
    func http(to access: ClusterAccess) -> HTTPRequest {
        var headers: HTTPHeaders = ["Accept": "application/json"]
        if !self.body.isEmpty { headers["Content-Type"] = "application/json" }
        if let token = access.token { headers["Authorization"] = "Bearer \(token)" }
        var request = HTTPRequest(
            self.method,
            access.server + self.target,
            headers: headers,
            body: self.body,
            firstByteTimeout: .seconds(20),
            maximumResponseBytes: self.maximumResponseBytes
        )
        request.tls = access.tls
        request.proxy = access.proxy
        return request
    }
}
