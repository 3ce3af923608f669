import Foundation
import Jobs
import Testing

@Suite struct CompletionEventTests {
    private let job = JobID(UUID(uuidString: "0B6D7A52-3D61-4D8E-9F4B-0C7F5A1B2C3D") ?? UUID())

    @Test func `an event is CloudEvents 1.0 in structured JSON`() throws {
        let event = self.event(.completed, subject: EventSubject("disk", "alice@example.org", "home"))
        let expected = """
            {"specversion":"1.0","id":"0b6d7a52-3d61-4d8e-9f4b-0c7f5a1b2c3d.completed","source":"/gpudev-worker",
            "type":"disk.create.completed","subject":"disk/alice@example.org/home",
            "time":"2025-01-02T03:04:05.000Z","datacontenttype":"application/json",
            "jobid":"0b6d7a52-3d61-4d8e-9f4b-0c7f5a1b2c3d","data":{"number":5}}
            """
        let actual = try JSONSerialization.jsonObject(with: Data(event.encoded())) as? NSDictionary
        #expect(actual == (try JSONSerialization.jsonObject(with: Data(expected.utf8)) as? NSDictionary))
    }

    @Test func `each death has an event id of its own`() {
        #expect(self.event(.failed(death: 2)).id == "0b6d7a52-3d61-4d8e-9f4b-0c7f5a1b2c3d.failed.2")
        #expect(self.event(.failed(death: 2)).type == "disk.create.failed")
    }

    @Test func `only slash and percent are encoded inside a segment`() {
        #expect(EventSubject("disk", "a/b%c d@é", "x").description == "disk/a%2Fb%25c d@é/x")
        #expect(EventSubject("a/\u{301}%\u{301}").description == "a%2F\u{301}%25\u{301}")
    }

    @Test(
        arguments: [
            ("2025-01-02T03:04:05Z", 1_735_787_045.0), ("2025-01-02T03:04:05.250Z", 1_735_787_045.25),
            ("2025-01-02T05:04:05+02:00", 1_735_787_045.0), ("2024-02-29T23:59:59Z", 1_709_251_199.0),
            ("2025-01-01T21:34:05-05:30", 1_735_787_045.0),
        ])
    func `RFC 3339 times are read with any offset`(text: String, seconds: Double) {
        #expect(Date(rfc3339: text)?.timeIntervalSince1970 == seconds)
    }

    @Test func `a time is written as Foundation writes it, and one that was read is written the same`() throws
    {
        let style = Date.ISO8601FormatStyle()
        for _ in 0..<2_000 {
            let second = Date(timeIntervalSince1970: Double(Int.random(in: 0...4_102_444_800)))
            let start = second.formatted(style).dropLast()
            for milliseconds in [0, 1, 999, Int.random(in: 0...999)] {
                let text = "\(start).\(String(1000 + milliseconds).dropFirst())Z"
                #expect(try #require(Date(rfc3339: text)).rfc3339 == text)
                let later = second + (Double(milliseconds) + 0.9) / 1000
                #expect(later.rfc3339 == text, "nothing is rounded up")
            }
        }
    }

    @Test(
        arguments: [
            "", "2025-01-02", "2025-01-02T03:04:05", "tomorrow", "2025-13-02T03:04:05Z",
            "2025-02-30T00:00:00Z",
            "2025-02-29T00:00:00+01:00", "2025-01-02T24:00:00Z", "2025-01-02T25:00:00.5Z",
            "2025-01-02T03:60:00Z",
            "99995-01-02T05:34:0995+02T03:04:05.678Z", "2025-01-02T03:04:05ZZ", "2025-01-02T03:04:05.Z",
            "2025-01-02T03:04:05+24:00", "2025-01-02T03:04:05+2:000", "2025-01-02T03:04:05+0200",
        ])
    func `what is no RFC 3339 time is nothing`(text: String) {
        #expect(Date(rfc3339: text) == nil)
    }

    private func event(_ ending: CompletionEvent.Ending, subject: EventSubject? = nil) -> CompletionEvent {
        CompletionEvent(
            job: self.job,
            kind: "disk.create",
            ending: ending,
            subject: subject,
            time: Date(timeIntervalSince1970: 1_735_787_045),
            data: Sample(number: 5)
        )
    }
}
