/// How one request ended.
package enum CallOutcome: Sendable {
    case success

    /// - Parameters:
    ///   - code: From a small set, for grouping.
    ///   - message: For people, without secrets.
    case failure(code: String, message: String)

    /// In metrics.
    var status: String {
        switch self {
        case .success: "ok"
        case .failure(let code, _): code
        }
    }
}
