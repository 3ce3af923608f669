/// Why a handler ends an attempt without success.
///
/// It is a decision, and thrown from wherever the handler comes to it; an error of any other type is something that
/// nobody foresaw, and `AttemptPolicy` decides what it means.
package enum Conclusion: Error {
    /// Try again later, at the cost of one attempt, and not before so long.
    case retry(Reason, after: Duration = .zero)

    /// Come back after a while, at no cost: what the job waits for has not happened yet.
    case snooze(Duration, Reason)

    /// This replica lacks the settings for it, others may have them: at no cost the job comes back a little later, to
    /// whoever takes it then.
    case leftToOthers(Reason)

    /// No attempt will ever succeed. What `writes` says is recorded with the final failure.
    case rejected(Reason, writes: [Write] = [])
}
