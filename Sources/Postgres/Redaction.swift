/// Takes values out of what the server says about a statement.
enum Redaction {
    /// The message without any text that was bound to the statement.
    ///
    /// Messages of class 22 quote the offending value, or a part of it, so there everything in quotes goes.
    static func redact(_ message: String, values: [PostgresValue], sqlState: String) -> String {
        var message = sqlState.hasPrefix("22") ? Self.withoutQuotes(message) : message
        for case .text(let text) in values.map(\.storage) where text.utf8.count >= 3 {
            message = Self.without(text, message)
        }
        return message
    }

    private static func withoutQuotes(_ message: String) -> String {
        let scalars = message.unicodeScalars
        guard let first = scalars.firstIndex(of: "\""), let last = scalars.lastIndex(of: "\"") else {
            return message
        }
        return String(scalars[..<first]) + "\"…\"" + String(scalars[scalars.index(after: last)...])
    }

    /// By scalars: with a combining mark beside it a text is made of other characters.
    private static func without(_ text: String, _ message: String) -> String {
        let marked = Array(message.unicodeScalars).replacing(Array(text.unicodeScalars), with: ["…"])
        var kept = String.UnicodeScalarView()
        kept.append(contentsOf: marked)
        return String(kept)
    }
}
