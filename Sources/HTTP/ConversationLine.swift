import CCurl
import Glibc
import Synchronization

/// The connection of one conversation, on the thread that calls `carry`.
///
/// It has a multi handle to itself: in one that is shared libcurl takes a connection that nobody transfers over for
/// an idle one, and closes it.
final class ConversationLine: Sendable {
    private struct State {
        var isCancelled = false
        /// The address of the multi handle while it is in use; `curl_multi_wakeup` alone may be called from elsewhere,
        /// and only while the lock is held.
        var multi: UInt?
    }

    private let request: HTTPRequest
    private let configuration: HTTPClientConfiguration
    private let deadline: ContinuousClock.Instant
    private let state = Mutex(State())

    init(
        _ request: HTTPRequest,
        _ configuration: HTTPClientConfiguration,
        deadline: ContinuousClock.Instant
    ) {
        self.request = request
        self.configuration = configuration
        self.deadline = deadline
    }

    /// Ends it at once, also if it has not begun.
    func cancel() {
        self.state.withLock { state in
            state.isCancelled = true
            guard let multi = state.multi, let handle = UnsafeMutableRawPointer(bitPattern: multi) else {
                return
            }
            _ = curl_multi_wakeup(handle)
        }
    }

    /// Connects and carries the conversation to its end.
    func carry<Talk: Conversation>(_ conversation: Talk) -> Result<Talk, HTTPError> {
        Result { () throws(HTTPError) in
            guard let connection = Connection(self.request, self.configuration) else {
                throw self.error(.other, "libcurl refused the settings of the request")
            }
            self.state.withLock { $0.multi = UInt(bitPattern: connection.multi) }
            defer { self.state.withLock { $0.multi = nil } }
            try self.connect(connection)
            return try self.talk(conversation, over: connection)
        }
    }

    private func connect(_ connection: Connection) throws(HTTPError) {
        while true {
            if let result = connection.advance() {
                guard result != CURLE_OK else { return }
                let code = HTTPError.Code(result, requestWasSent: false)
                throw self.error(code, String(cString: curl_easy_strerror(result)))
            }
            connection.wait(for: [], until: try self.moment(within: .seconds(1)))
        }
    }

    private func talk<Talk: Conversation>(
        _ conversation: Talk,
        over connection: Connection
    ) throws(HTTPError) -> Talk {
        var talk = conversation
        var outgoing = talk.begin()[...]
        var nextTick = ContinuousClock.now.advanced(by: tickInterval)
        var isEnding = false
        while true {
            let moment = try self.moment(within: nextTick.remaining, hasBegun: true)
            guard connection.send(&outgoing) else { return talk }
            if isEnding, outgoing.isEmpty { return talk }
            var step: ConversationStep?
            switch isEnding ? .nothing : connection.receive() {
            case .bytes(let bytes): step = talk.receive(bytes)
            case .closed: return talk
            case .nothing where !isEnding && nextTick <= .now:
                nextTick = .now.advanced(by: tickInterval)
                step = talk.tick()
            case .nothing: break
            }
            // Only when nothing is left to read: what waits inside TLS a poll does not see.
            guard let step else {
                connection.wait(for: outgoing.isEmpty ? .input : [.input, .output], until: moment)
                continue
            }
            outgoing += step.bytes
            isEnding = step.isEnd
        }
    }

    /// The end of a wait of so long at most; throws if there is nothing to wait for any more.
    private func moment(within pause: Duration, hasBegun: Bool = false) throws(HTTPError)
        -> ContinuousClock.Instant
    {
        if self.state.withLock({ $0.isCancelled }) {
            throw self.error(.cancelled, "the task was cancelled", hasBegun)
        }
        let now = ContinuousClock.now
        guard now < self.deadline else { throw self.error(.timedOut, "no end in time", hasBegun) }
        return min(now.advanced(by: pause), self.deadline)
    }

    private func error(_ code: HTTPError.Code, _ message: String, _ requestWasSent: Bool = false) -> HTTPError
    {
        HTTPError(
            code: code,
            operation: self.request.label,
            message: message,
            requestWasSent: requestWasSent
        )
    }
}

private let tickInterval: Duration = .seconds(5)
