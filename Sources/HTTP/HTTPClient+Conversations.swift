extension HTTPClient {
    /// Connects to the server of a URL and carries a conversation, on a thread of its own.
    ///
    /// - Parameters:
    ///   - conversation: Decides what is said.
    ///   - request: The URL, whom to trust and who we are; the rest does not count.
    ///   - limit: The time for everything, from now to the end.
    /// - Returns: The conversation as it is when it or the other side has ended it, in whatever way.
    /// - Throws: When no connection comes about, time is up, or the task is cancelled, at once.
    package func converse<Talk: Conversation>(
        _ conversation: Talk,
        with request: HTTPRequest,
        within limit: Duration
    ) async throws(HTTPError) -> Talk {
        let line = ConversationLine(request, self.configuration, deadline: .now.advanced(by: limit))
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                startThread(named: "conversation") {
                    continuation.resume(returning: line.carry(conversation))
                }
            }
        } onCancel: {
            line.cancel()
        }
        return try result.get()
    }
}
