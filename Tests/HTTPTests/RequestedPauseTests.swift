import HTTP
import Testing

@Suite struct RequestedPauseTests {
    @Test(arguments: [
        ("0", 0), ("7", 7), ("899", 899), ("900", 900), ("901", 900), ("1000000000", 900),
        ("9300000000000000", 900), ("9223372036854775807", 900), ("92233720368547758070", 900),
    ])
    func `a number of seconds is granted up to a quarter of an hour`(text: String, seconds: Int) {
        #expect(RequestedPause(header: text)?.duration == .seconds(seconds))
    }

    @Test(arguments: ["", "-1", "+1", "1.5", "1e9", "NaN", "inf", " 7", "Sun, 06 Nov 1994 08:49:37 GMT"])
    func `what is no number of seconds asks for nothing`(text: String) {
        #expect(RequestedPause(header: text) == nil)
        #expect(RequestedPause(millisecondsHeader: text) == nil)
    }

    @Test func `milliseconds are granted up to the same limit`() {
        #expect(RequestedPause(millisecondsHeader: "1500")?.duration == .milliseconds(1500))
        #expect(RequestedPause(millisecondsHeader: "9300000000000000000")?.duration == .seconds(900))
        #expect(RequestedPause(milliseconds: .min).duration == .zero)
        #expect(RequestedPause(seconds: .min).duration == .zero)
    }
}
