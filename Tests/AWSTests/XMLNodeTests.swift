import FoundationEssentials
import Testing
import XML

@testable import AWS

@Suite struct XMLNodeTests {
    @Test func `numbers and lists are read`() throws {
        let node = try XMLNode(answer: Array("<r><n> 42\n</n><e/></r>".utf8))
        #expect(try node.integer("n") == 42)
        #expect(node.list("e").isEmpty && node.list("absent").isEmpty)
        #expect(throws: MalformedAnswer.self) { try XMLNode(answer: Array("<r>".utf8)) }
    }

    @Test(arguments: ["<\u{301}&\u{301}>\u{301}", "\r\n", "a\r"])
    func `text that is written comes back`(text: String) throws {
        let node = try XMLNode(document: Array("<a>\(text.xmlEscaped)</a>".utf8))
        #expect(Array(node.text.utf8) == Array(text.utf8))
    }

    @Test func `a wildcard with a combining mark is literal too`() {
        let escaped = Filter("tag:a", ["*\u{301}?\u{301}"]).escapedValues
        #expect(escaped.map { Array($0.utf8) } == [Array("\\*\u{301}\\?\u{301}".utf8)])
    }

    @Test(arguments: [
        ("2025-01-02T03:04:05.000Z", 1_735_787_045.0), ("2025-01-02T03:04:05Z", 1_735_787_045),
        ("2025-01-02T03:04:05.678901+00:00", 1_735_787_045.678901),
        ("2025-01-02T05:34:05.5+02:30", 1_735_787_045.5), ("1969-12-31T23:59:59Z", -1),
    ])
    func `times are read with any fraction`(text: String, seconds: Double) throws {
        let date = try #require(Date(iso8601: text))
        #expect(abs(date.timeIntervalSince1970 - seconds) < 0.001)
    }

    @Test(arguments: [
        ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777.0), ("Thu, 29 Feb 2024 23:59:59 GMT", 1_709_251_199),
    ])
    func `times of headers are read`(text: String, seconds: Double) {
        #expect(Date(httpDate: text)?.timeIntervalSince1970 == seconds)
        #expect(Date(httpDate: "yesterday") == nil)
    }

    @Test(arguments: [
        "Sun, 06 Nov 9223372036854775807 08:49:37 GMT", "Sun, 9223372036854775807 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:9223372036854775807:37 GMT", "Sun, -6 Nov 1994 08:49:37 GMT",
    ])
    func `numbers that are no part of a time are refused`(text: String) {
        #expect(Date(httpDate: text) == nil)
    }

    @Test(arguments: [
        (0.0, "19700101T000000Z"), (951_782_400, "20000229T000000Z"), (1_709_251_199.9, "20240229T235959Z"),
        (-1, "19691231T235959Z"),
    ])
    func `times of signatures are written`(seconds: Double, text: String) {
        #expect(Date(timeIntervalSince1970: seconds).signatureTime == text)
    }
}
