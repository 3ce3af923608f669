import Jobs
import Testing

@Suite struct RetryScheduleTests {
    private let schedule = RetrySchedule()

    @Test(arguments: [(1, 5), (2, 10), (3, 20), (10, 2560), (11, 3600)])
    func `a delay is anything up to the doubled base, and up to the cap`(attempt: Int, seconds: Int) throws {
        var random = SystemRandomNumberGenerator()
        let delays = try (0..<2_000).map { _ in
            try #require(self.schedule.delay(afterAttempt: attempt, using: &random))
        }
        #expect(delays.allSatisfy { .zero <= $0 && $0 <= .seconds(seconds) })
        #expect(delays.contains { $0 < .seconds(seconds) * 0.1 })
        #expect(delays.contains { $0 > .seconds(seconds) * 0.9 })
    }

    @Test(arguments: [12, 13, 1_000]) func `there is none after the last try`(attempt: Int) {
        var random = SystemRandomNumberGenerator()
        #expect(self.schedule.delay(afterAttempt: attempt, using: &random) == nil)
    }
}
