import CCurl

/// Sets the options of an easy handle and remembers whether libcurl took them all.
struct TransferOptions {
    private let handle: UnsafeMutableRawPointer
    private(set) var areAllAccepted = true
    /// The header lines; whoever takes them frees them after the handle.
    private(set) var headers: UnsafeMutablePointer<curl_slist>?
    /// The address to connect to instead of the URL's; whoever takes the list frees it after the handle.
    private(set) var address: UnsafeMutablePointer<curl_slist>?

    init(_ handle: UnsafeMutableRawPointer) {
        self.handle = handle
    }

    mutating func set(_ configuration: HTTPClientConfiguration) {
        // Signals belong to the process: no SIGALRM for slow names, no change of what SIGPIPE does.
        self.set(CURLOPT_NOSIGNAL, 1)
        self.set(CURLOPT_PROTOCOLS_STR, "http,https")
        self.set(CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_1_1))
        self.set(CURLOPT_PATH_AS_IS, 1)
        self.set(CURLOPT_FOLLOWLOCATION, 0)
        self.set(CURLOPT_TCP_NODELAY, 1)
        self.set(CURLOPT_TCP_KEEPALIVE, 1)
        self.set(CURLOPT_USERAGENT, configuration.userAgent)
        self.set(CURLOPT_CONNECTTIMEOUT_MS, configuration.connectTimeout.milliseconds)
        self.set(CURLOPT_MAXAGE_CONN, Int(configuration.idleConnectionTimeout.components.seconds))
        // An empty name keeps libcurl from looking into the environment.
        if !configuration.usesEnvironmentProxies { self.set(CURLOPT_PROXY, "") }
        self.set(configuration.tls)
    }

    mutating func set(_ request: HTTPRequest, within limit: Duration) {
        self.set(CURLOPT_URL, request.url)
        if let proxy = request.proxy { self.set(CURLOPT_PROXY, proxy) }
        if let tls = request.tls { self.set(tls) }
        if let name = request.tls?.serverName { self.set(serverName: name, of: request) }
        self.set(CURLOPT_TIMEOUT_MS, max(limit.milliseconds, 1))
        // libcurl repeats by itself what it sent on a kept connection that turns out to be dead.
        self.set(CURLOPT_FRESH_CONNECT, request.mayBeRepeated ? 0 : 1)
        self.setMethod(of: request)
        for field in request.headers {
            self.addHeader(field.value.isEmpty ? "\(field.name);" : "\(field.name): \(field.value)")
        }
        for name in ["Accept", "Content-Type", "Expect"] where request.headers[name] == nil {
            // A name alone takes away what libcurl adds of its own.
            self.addHeader("\(name):")
        }
    }

    mutating func set(_ option: CURLoption, _ value: Int) {
        self.note(ccurl_set_long(self.handle, option, value))
    }

    mutating func set(_ option: CURLoption, _ value: String) {
        self.note(ccurl_set_string(self.handle, option, value))
    }

    mutating func set(_ option: CURLoption, _ value: UnsafeMutableRawPointer) {
        self.note(ccurl_set_pointer(self.handle, option, value))
    }

    mutating func set(_ option: CURLoption, _ value: UnsafeMutablePointer<curl_slist>?) {
        self.note(ccurl_set_list(self.handle, option, value))
    }

    mutating func set(_ option: CURLoption, _ callback: @escaping ccurl_write_callback) {
        self.note(ccurl_set_write_callback(self.handle, option, callback))
    }

    private mutating func set(_ option: CURLoption, _ bytes: [UInt8]) {
        self.note(ccurl_set_blob(self.handle, option, bytes, bytes.count))
    }

    private mutating func set(_ tls: TLSOptions) {
        self.set(CURLOPT_SSL_VERIFYPEER, 1)
        self.set(CURLOPT_SSL_VERIFYHOST, 2)
        self.set(CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2))
        switch tls.authorities {
        case .system: break
        case .file(let path): self.set(CURLOPT_CAINFO, path)
        case .pem(let bytes): self.set(CURLOPT_CAINFO_BLOB, bytes)
        }
        if let identity = tls.identity {
            self.set(CURLOPT_SSLCERT_BLOB, identity.certificate)
            self.set(CURLOPT_SSLKEY_BLOB, identity.privateKey)
        }
    }

    /// The name goes into the URL, where TLS takes it from; the connection and `Host` are those of the true URL.
    private mutating func set(serverName name: String, of request: HTTPRequest) {
        guard let url = URLParts(request.url) else { return self.areAllAccepted = false }
        self.set(CURLOPT_URL, "\(url.scheme)://\(name):\(url.port)\(url.rest)")
        self.address = curl_slist_append(nil, "::\(url.host):\(url.port)")
        self.set(CURLOPT_CONNECT_TO, self.address)
        if request.headers["Host"] == nil { self.addHeader("Host: \(url.authority)") }
    }

    private mutating func setMethod(of request: HTTPRequest) {
        switch request.method {
        case .head: self.set(CURLOPT_NOBODY, 1)
        case .get where request.body.isEmpty: self.set(CURLOPT_HTTPGET, 1)
        case .delete where request.body.isEmpty: self.set(CURLOPT_CUSTOMREQUEST, "DELETE")
        default:
            self.set(CURLOPT_POST, 1)
            self.set(CURLOPT_CUSTOMREQUEST, request.method.rawValue)
            self.note(
                ccurl_set_size(self.handle, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(request.body.count))
            )
            self.setBody(request.body)
        }
    }

    /// libcurl copies as many bytes as the size that was set says.
    private mutating func setBody(_ body: [UInt8]) {
        var body = body
        let status = body.withUnsafeMutableBytes { bytes in
            bytes.baseAddress.map { ccurl_set_pointer(self.handle, CURLOPT_COPYPOSTFIELDS, $0) }
        }
        self.note(status ?? ccurl_set_string(self.handle, CURLOPT_COPYPOSTFIELDS, ""))
    }

    private mutating func addHeader(_ line: String) {
        guard let longer = curl_slist_append(self.headers, line) else {
            self.areAllAccepted = false
            return
        }
        self.headers = longer
    }

    private mutating func note(_ status: CURLcode) {
        if status != CURLE_OK { self.areAllAccepted = false }
    }
}
