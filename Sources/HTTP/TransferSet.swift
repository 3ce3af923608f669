import CCurl

/// The transfers that are under way, over one multi handle, which it frees.
///
/// Used on one thread only.
final class TransferSet {
    let multi: UnsafeMutableRawPointer
    private let configuration: HTTPClientConfiguration
    private var transfers: [UInt64: Transfer] = [:]

    init(_ configuration: HTTPClientConfiguration) {
        guard let multi = curl_multi_init() else { preconditionFailure("no memory for libcurl") }
        self.multi = multi
        self.configuration = configuration
        _ = ccurl_multi_set_long(
            multi,
            CURLMOPT_MAX_HOST_CONNECTIONS,
            configuration.maximumConnectionsPerHost
        )
        // Connections kept beyond this many are closed, the oldest first.
        _ = ccurl_multi_set_long(multi, CURLMOPT_MAXCONNECTS, 256)
    }

    deinit { curl_multi_cleanup(self.multi) }

    func start(_ order: TransferOrder) {
        guard order.limit > .zero else { return order.fail(.timedOut, "no time was left") }
        guard order.request.hasHTTPScheme else { return order.fail(.invalidURL, "the URL is not of HTTP") }
        guard order.request.hasCleanHeaders else {
            return order.fail(.other, "a header field has a character that it must not have")
        }
        guard let transfer = Transfer(order, self.configuration) else {
            return order.fail(.other, "libcurl refused the settings of the request")
        }
        let status = curl_multi_add_handle(self.multi, transfer.handle)
        guard status == CURLM_OK else {
            return transfer.finish(failing: .other, "libcurl refused the request")
        }
        self.transfers[order.id] = transfer
    }

    func cancel(_ id: UInt64) {
        self.end(id, .cancelled, "the task was cancelled")
    }

    func cancelAll() {
        for id in Array(self.transfers.keys) { self.end(id, .cancelled, "the client has been shut down") }
    }

    /// Lets libcurl do what can be done now, then ends what is complete or late.
    func perform() {
        var running: CInt = 0
        _ = curl_multi_perform(self.multi, &running)
        var remaining: CInt = 0
        while let message = curl_multi_info_read(self.multi, &remaining) {
            guard message.pointee.msg == CURLMSG_DONE, let handle = message.pointee.easy_handle else {
                continue
            }
            self.complete(handle, ccurl_message_result(message))
        }
        let now = ContinuousClock.now
        for (id, transfer) in self.transfers where transfer.expiry <= now {
            self.end(
                id,
                .timedOut,
                transfer.hasAnswer ? "the answer stopped in the middle" : "no answer in time"
            )
        }
    }

    /// Sleeps until a socket is ready, a timer of libcurl's or ours is due, or another thread wakes it.
    func wait() {
        let now = ContinuousClock.now
        let due = self.transfers.values.map(\.expiry).min() ?? now.advanced(by: .seconds(60))
        let pause = min(max(now.duration(to: due), .zero), .seconds(60))
        _ = curl_multi_poll(self.multi, nil, 0, CInt(pause.milliseconds + 1), nil)
    }

    private func complete(_ handle: UnsafeMutableRawPointer, _ result: CURLcode) {
        var context: UnsafeMutableRawPointer?
        _ = ccurl_get_pointer(handle, CURLINFO_PRIVATE, &context)
        guard let context else { return }
        let transfer = Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue()
        self.transfers[transfer.order.id] = nil
        curl_multi_remove_handle(self.multi, transfer.handle)
        transfer.finish(result)
    }

    private func end(_ id: UInt64, _ code: HTTPError.Code, _ message: String) {
        guard let transfer = self.transfers.removeValue(forKey: id) else { return }
        curl_multi_remove_handle(self.multi, transfer.handle)
        transfer.finish(failing: code, message)
    }
}

extension HTTPRequest {
    /// libcurl would guess at a URL without a scheme.
    fileprivate var hasHTTPScheme: Bool {
        let scheme = self.url.prefix(8).lowercased()
        return scheme.hasPrefix("http://") || scheme.hasPrefix("https://")
    }

    /// Line breaks and NUL would let a value become a field of its own.
    fileprivate var hasCleanHeaders: Bool {
        self.headers.allSatisfy { field in
            !field.name.isEmpty
                && !field.name.utf8.contains { $0 <= 32 || $0 == UInt8(ascii: ":") || $0 >= 127 }
                && !field.value.utf8.contains { $0 == 10 || $0 == 13 || $0 == 0 }
        }
    }
}

extension Duration {
    /// Whole milliseconds, rounded down.
    var milliseconds: Int {
        Int(self.components.seconds) * 1000 + Int(self.components.attoseconds / 1_000_000_000_000_000)
    }
}
