import CCurl

/// One connection that libcurl makes, TLS included, and then leaves to us.
///
/// Used on one thread only. It frees both handles and the lists.
final class Connection {
    /// What came of looking for bytes.
    enum Arrival {
        case bytes([UInt8])
        case nothing
        /// By the other side, or because the connection is broken.
        case closed
    }

    /// What to wait for.
    struct Readiness: OptionSet {
        let rawValue: Int16

        static let input = Readiness(rawValue: Int16(CURL_WAIT_POLLIN))
        static let output = Readiness(rawValue: Int16(CURL_WAIT_POLLOUT))
    }

    let multi: UnsafeMutableRawPointer
    private let handle: UnsafeMutableRawPointer
    private let headers: UnsafeMutablePointer<curl_slist>?
    private let address: UnsafeMutablePointer<curl_slist>?
    private var buffer = [UInt8](repeating: 0, count: 16 << 10)

    /// Nil if libcurl takes the settings not all.
    init?(_ request: HTTPRequest, _ configuration: HTTPClientConfiguration) {
        guard let handle = curl_easy_init() else { return nil }
        guard let multi = curl_multi_init() else {
            curl_easy_cleanup(handle)
            return nil
        }
        var options = TransferOptions(handle)
        options.set(configuration)
        options.set(request, within: configuration.connectTimeout)
        options.set(CURLOPT_CONNECT_ONLY, 1)
        (self.handle, self.multi) = (handle, multi)
        (self.headers, self.address) = (options.headers, options.address)
        guard options.areAllAccepted, curl_multi_add_handle(multi, handle) == CURLM_OK else { return nil }
    }

    deinit {
        curl_multi_remove_handle(self.multi, self.handle)
        curl_easy_cleanup(self.handle)
        curl_multi_cleanup(self.multi)
        curl_slist_free_all(self.headers)
        curl_slist_free_all(self.address)
    }

    /// Goes on with connecting; nil as long as it is not decided.
    func advance() -> CURLcode? {
        var (running, remaining): (CInt, CInt) = (0, 0)
        _ = curl_multi_perform(self.multi, &running)
        guard let message = curl_multi_info_read(self.multi, &remaining), message.pointee.msg == CURLMSG_DONE
        else { return nil }
        return ccurl_message_result(message)
    }

    /// Sends what can be sent now and leaves the rest; false if the connection is broken.
    func send(_ bytes: inout ArraySlice<UInt8>) -> Bool {
        while !bytes.isEmpty {
            var count = 0
            let result = bytes.withUnsafeBytes {
                curl_easy_send(self.handle, $0.baseAddress, $0.count, &count)
            }
            if result == CURLE_AGAIN { return true }
            guard result == CURLE_OK else { return false }
            bytes.removeFirst(count)
        }
        return true
    }

    /// What has arrived.
    func receive() -> Arrival {
        var count = 0
        let result = self.buffer.withUnsafeMutableBytes {
            curl_easy_recv(self.handle, $0.baseAddress, $0.count, &count)
        }
        if result == CURLE_AGAIN { return .nothing }
        guard result == CURLE_OK, count > 0 else { return .closed }
        return .bytes(Array(self.buffer[..<count]))
    }

    /// Sleeps until the connection is ready, libcurl has something to do, or another thread wakes it.
    func wait(for readiness: Readiness, until moment: ContinuousClock.Instant) {
        let pause = max(.zero, ContinuousClock.now.duration(to: moment)).milliseconds
        guard !readiness.isEmpty, let socket = self.socket else {
            _ = curl_multi_poll(self.multi, nil, 0, CInt(pause + 1), nil)
            return
        }
        var wanted = curl_waitfd(fd: socket, events: readiness.rawValue, revents: 0)
        _ = curl_multi_poll(self.multi, &wanted, 1, CInt(pause + 1), nil)
    }

    private var socket: curl_socket_t? {
        var socket: curl_socket_t = -1
        guard ccurl_get_socket(self.handle, CURLINFO_ACTIVESOCKET, &socket) == CURLE_OK, socket >= 0 else {
            return nil
        }
        return socket
    }
}
