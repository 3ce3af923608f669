import CCurl

extension HTTPError.Code {
    /// The kind of failure for libcurl's number.
    init(_ result: CURLcode, requestWasSent: Bool) {
        switch result {
        case CURLE_URL_MALFORMAT: self = .invalidURL
        // Also what libcurl says of an answer that is no HTTP.
        case CURLE_UNSUPPORTED_PROTOCOL: self = requestWasSent ? .connectionLost : .invalidURL
        case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY: self = .resolveFailed
        // A handshake that breaks off is a failed connection; a certificate that is not good is another thing.
        case CURLE_COULDNT_CONNECT, CURLE_SSL_CONNECT_ERROR: self = .connectionFailed
        case CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CERTPROBLEM, CURLE_SSL_CIPHER,
            CURLE_SSL_CACERT_BADFILE,
            CURLE_SSL_ISSUER_ERROR, CURLE_SSL_CRL_BADFILE, CURLE_SSL_INVALIDCERTSTATUS, CURLE_SSL_CLIENTCERT,
            CURLE_SSL_ENGINE_NOTFOUND, CURLE_SSL_ENGINE_SETFAILED, CURLE_USE_SSL_FAILED:
            self = .tlsFailed
        case CURLE_OPERATION_TIMEDOUT: self = .timedOut
        case CURLE_GOT_NOTHING, CURLE_SEND_ERROR, CURLE_RECV_ERROR, CURLE_PARTIAL_FILE,
            CURLE_WEIRD_SERVER_REPLY, CURLE_BAD_CONTENT_ENCODING, CURLE_SEND_FAIL_REWIND:
            self = .connectionLost
        default: self = .other
        }
    }
}
