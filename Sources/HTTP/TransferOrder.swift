/// One request on its way to the thread, and who waits for its result.
struct TransferOrder: Sendable {
    let id: UInt64
    let request: HTTPRequest
    let limit: Duration
    let continuation: CheckedContinuation<Result<HTTPResponse, HTTPError>, Never>
    let start = ContinuousClock.now

    func fail(_ code: HTTPError.Code, _ message: String, requestWasSent: Bool = false) {
        self.continuation.resume(
            returning: .failure(
                HTTPError(
                    code: code,
                    operation: self.request.label,
                    message: message,
                    requestWasSent: requestWasSent
                )
            )
        )
    }
}

extension HTTPRequest {
    /// Method and host without user, path and query, which may hold secrets.
    var label: String {
        let parts = self.url.split(separator: "/", maxSplits: 3, omittingEmptySubsequences: false)
        guard parts.count > 2, parts[1].isEmpty else { return self.method.rawValue }
        let authority = parts[2].prefix { $0 != "?" && $0 != "#" }
        let host = authority.split(separator: "@", omittingEmptySubsequences: false).last ?? ""
        return "\(self.method.rawValue) \(host)"
    }
}
