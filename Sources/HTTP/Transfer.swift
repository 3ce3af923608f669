import CCurl

/// One transfer: its easy handle, what has arrived, and who waits for it.
///
/// Used on one thread only. It frees the handle, the lists and the error buffer; the handle must have left its multi handle before.
final class Transfer {
    let order: TransferOrder
    let handle: UnsafeMutableRawPointer
    /// Whether any line of the answer has come.
    private(set) var hasAnswer = false

    private let stallTimeout: Duration
    private var lastProgress = ContinuousClock.now
    private var headerList: UnsafeMutablePointer<curl_slist>?
    private let address: UnsafeMutablePointer<curl_slist>?
    private let errorBuffer: UnsafeMutablePointer<CChar>
    private var answer: AnswerBuffer

    init?(_ order: TransferOrder, _ configuration: HTTPClientConfiguration) {
        guard let handle = curl_easy_init() else { return nil }
        self.order = order
        self.handle = handle
        self.stallTimeout = configuration.stallTimeout
        self.errorBuffer = .allocate(capacity: Int(CURL_ERROR_SIZE))
        self.errorBuffer.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
        self.answer = AnswerBuffer(limit: order.request.maximumResponseBytes)
        var options = TransferOptions(handle)
        options.set(configuration)
        options.set(order.request, within: order.limit)
        self.headerList = options.headers
        self.address = options.address
        options.set(CURLOPT_HTTPHEADER, self.headerList)
        self.setCallbacks(&options)
        guard options.areAllAccepted else { return nil }
    }

    deinit {
        curl_easy_cleanup(self.handle)
        curl_slist_free_all(self.headerList)
        curl_slist_free_all(self.address)
        self.errorBuffer.deallocate()
    }

    /// When the wait for the first or the next byte has been long enough.
    var expiry: ContinuousClock.Instant {
        self.hasAnswer
            ? self.lastProgress.advanced(by: self.stallTimeout)
            : self.order.start.advanced(by: self.order.request.firstByteTimeout)
    }

    /// Tells the outcome that libcurl has reached.
    func finish(_ result: CURLcode) {
        if result == CURLE_OK {
            self.order.continuation.resume(
                returning: .success(
                    HTTPResponse(status: self.status, headers: self.answer.headers, body: self.answer.body)
                )
            )
        } else if self.answer.isTooLarge {
            self.finish(failing: .tooLarge, "the answer is larger than \(self.answer.limit) bytes")
        } else {
            self.finish(
                failing: HTTPError.Code(result, requestWasSent: self.requestWasSent),
                self.message(for: result)
            )
        }
    }

    /// Tells that it ends without an answer.
    func finish(failing code: HTTPError.Code, _ message: String) {
        self.order.fail(code, message, requestWasSent: self.requestWasSent)
    }

    private var status: Int {
        var status = 0
        _ = ccurl_get_long(self.handle, CURLINFO_RESPONSE_CODE, &status)
        return status
    }

    private var requestWasSent: Bool {
        var bytes = 0
        _ = ccurl_get_long(self.handle, CURLINFO_REQUEST_SIZE, &bytes)
        return bytes > 0
    }

    private func message(for result: CURLcode) -> String {
        let detail = String(cString: self.errorBuffer)
        return detail.isEmpty ? String(cString: curl_easy_strerror(result)) : detail
    }

    private func setCallbacks(_ options: inout TransferOptions) {
        // The set of transfers keeps this object for as long as libcurl has the handle.
        let context = Unmanaged.passUnretained(self).toOpaque()
        options.set(CURLOPT_PRIVATE, context)
        options.set(CURLOPT_ERRORBUFFER, UnsafeMutableRawPointer(self.errorBuffer))
        options.set(CURLOPT_HEADERDATA, context)
        options.set(CURLOPT_HEADERFUNCTION, receiveHeader)
        options.set(CURLOPT_WRITEDATA, context)
        options.set(CURLOPT_WRITEFUNCTION, receiveBody)
    }

    fileprivate func receive(_ bytes: UnsafeRawBufferPointer, isHeader: Bool) -> Bool {
        self.hasAnswer = true
        self.lastProgress = .now
        return isHeader ? self.answer.addHeaderLine(bytes) : self.answer.addBody(bytes)
    }
}

private func receiveHeader(
    _ bytes: UnsafeMutablePointer<CChar>?,
    _ size: Int,
    _ count: Int,
    _ context: UnsafeMutableRawPointer?
) -> Int {
    receive(bytes, size * count, context, isHeader: true)
}

private func receiveBody(
    _ bytes: UnsafeMutablePointer<CChar>?,
    _ size: Int,
    _ count: Int,
    _ context: UnsafeMutableRawPointer?
) -> Int {
    receive(bytes, size * count, context, isHeader: false)
}

/// libcurl ends the transfer when a callback takes fewer bytes than it was given.
private func receive(
    _ bytes: UnsafeMutablePointer<CChar>?,
    _ count: Int,
    _ context: UnsafeMutableRawPointer?,
    isHeader: Bool
) -> Int {
    guard let context, count > 0 else { return 0 }
    let transfer = Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue()
    let isTaken = transfer.receive(UnsafeRawBufferPointer(start: bytes, count: count), isHeader: isHeader)
    return isTaken ? count : -1
}
