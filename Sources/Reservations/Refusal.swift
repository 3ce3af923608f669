import Jobs

/// Why a job will never be done.
struct Refusal: Error {
    let reason: Reason

    init(_ code: String, _ message: String) { self.reason = Reason(code, message) }
}
