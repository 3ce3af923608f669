import Foundation
import Testing

@testable import Postgres

@Suite struct TimestampTests {
    @Test(arguments: ["294276-12-31 23:59:59.999999+00", "999999-01-01", "294247-01-10 04:00:54.775808+00"])
    func `a time that 64 bits of microseconds cannot hold is refused`(text: String) {
        #expect(Timestamp(Array(text.utf8).span) == nil)
        #expect(Date(postgresText: Array(text.utf8).span, type: .unknown) == nil)
    }

    @Test(arguments: [
        "0016-12-31 23:59:59.999999+00", "1684-07-22 23:59:59.999999+00", "9998-12-31 23:59:59.999999+00",
    ])
    func `the last microsecond of a day stays on its day`(text: String) {
        #expect(Timestamp(Array(text.utf8).span)?.text == text)
    }

    @Test func `the last time that 64 bits can hold is read`() {
        let text = Array("294247-01-10 04:00:54.775807+00".utf8)
        #expect(Timestamp(text.span)?.microseconds == .max)
    }
}
