import Testing

@testable import Postgres

/// A combining mark makes another character of what stands before it, but not for the server.
@Suite struct QuotingTests {
    private static let text = "a\"\u{301},\\\u{301}b"

    @Test func `a quote with a combining mark stays inside its element`() {
        let written = ArrayText.encode([.text(Self.text), .text("c")])
        #expect(ArrayText.decode(Array(written.utf8).span) == [Self.text, "c"])
    }

    @Test func `the server reads such text as what it is`() async throws {
        try await withConnection { connection in
            let row = try await connection.run("SELECT \([Self.text, "c"])::text[] AS texts").rows[0]
            let texts = try row.read("texts", as: [String].self)
            #expect(texts.map { Array($0.utf8) } == [Self.text, "c"].map { Array($0.utf8) })
            let named = try await connection.run("SELECT 1 AS \(identifier: Self.text)").rows[0]
            #expect(named.hasColumn(Self.text))
        }
    }

    @Test func `a bound value is redacted beside a combining mark too`() {
        let told = Redaction.redact("is \"\u{301}secret\" now", values: [], sqlState: "22P02")
        #expect(!told.contains("secret"))
        let other = Redaction.redact("is secret\u{301}", values: [.text("secret")], sqlState: "23505")
        #expect(!other.unicodeScalars.elementsEqual("is secret\u{301}".unicodeScalars))
    }
}
