/// Takes values out of what the server says about a statement.
enum Redaction {
    /// The message without any text that was bound to the statement.
    ///
    /// Messages of class 22 quote the offending value, or a part of it, so there everything in quotes goes.
    static func redact(_ message: String, values: [PostgresValue], sqlState: String) -> String {
        var message = sqlState.hasPrefix("22") ? Self.withoutQuotes(message) : message
        for case .text(let text) in values.map(\.storage) where text.utf8.count >= 3 {
            message = message.replacing(text, with: "…")
        }
        return message
    }

    private static func withoutQuotes(_ message: String) -> String {
        guard let first = message.firstIndex(of: "\""), let last = message.lastIndex(of: "\"") else {
            return message
        }
        return message[..<first] + "\"…\"" + message[message.index(after: last)...]
    }
}
