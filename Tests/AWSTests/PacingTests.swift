import Testing

@testable import AWS

@Suite struct PacingTests {
    @Test func `a burst counts as there until half of it is used, and again when it has come back`() throws {
        let start = ContinuousClock.now
        var bucket = TokenBucket(.ec2Describe, now: start)
        for _ in 0..<24 { _ = bucket.reserve(at: start, within: .seconds(1)) }
        #expect(bucket.hasBurst(at: start))
        _ = bucket.reserve(at: start, within: .seconds(1))
        #expect(!bucket.hasBurst(at: start))
        #expect(bucket.hasBurst(at: start + .milliseconds(200)))
        bucket.slowDown(at: start + .milliseconds(200))
        #expect(!bucket.hasBurst(at: start + .seconds(1)))
        #expect(TokenBucket(.unlimited, now: start).hasBurst(at: start))
    }

    @Test func `a burst goes at once, then one by one`() {
        let start = ContinuousClock.now
        var bucket = TokenBucket(.ec2Mutate, now: start)
        let burst = (1...10).map { _ in bucket.reserve(at: start, within: .zero) }
        #expect(burst == Array(repeating: .zero, count: 10))
        let waits = (1...3).map { _ in bucket.reserve(at: start, within: .seconds(10))?.inSeconds ?? -1 }
        #expect(zip(waits, [1.0 / 3, 2.0 / 3, 1]).allSatisfy { abs($0 - $1) < 1e-6 })
        let tooLate = bucket.reserve(at: start, within: .seconds(1))
        let later = bucket.reserve(at: start.advanced(by: .seconds(2)), within: .zero)
        #expect(tooLate == nil && later == .zero)
    }

    @Test func `throttling halves the rate once a second, and time brings it back`() {
        let start = ContinuousClock.now
        var bucket = TokenBucket(.ec2Describe, now: start)
        for _ in 1...100 { bucket.slowDown(at: start) }
        #expect(bucket.rate == 5)
        for second in 1...100 { bucket.slowDown(at: start.advanced(by: .seconds(second))) }
        #expect(bucket.rate == 10.0 / 16)
        _ = bucket.reserve(at: start.advanced(by: .seconds(110)), within: .zero)
        #expect(bucket.rate == 10)
    }

    @Test func `an operation that is throttled does not slow down another, but for Route 53`() {
        let pacing = Pacing(factor: 1)
        func isFree(_ service: AWSService, _ name: String, _ rate: RateClass) -> Bool {
            pacing.reserve(AWSOperation(service, name, .read, rate: rate), within: .zero) != nil
        }
        let volumes = AWSOperation(.ec2, "DescribeVolumes", .read, rate: .ec2Describe)
        #expect(isFree(.ec2, "DescribeVolumes", .ec2Describe))
        pacing.noteThrottling(of: volumes)
        #expect(!isFree(.ec2, "DescribeVolumes", .ec2Describe))
        #expect(isFree(.ec2, "DescribeSnapshots", .ec2Describe))
        #expect(isFree(.route53, "GetChange", .route53))
        pacing.noteThrottling(of: AWSOperation(.route53, "GetChange", .read, rate: .route53))
        #expect(!isFree(.route53, "ListResourceRecordSets", .route53))
    }

    @Test func `a clock that is wrong for one host is wrong for those that have not told, too`() {
        let pacing = Pacing(factor: 1)
        #expect(pacing.clockOffset(of: "ec2") == .zero)
        pacing.setClockOffset(of: "ec2", to: .seconds(1200))
        #expect(pacing.clockOffset(of: "sts") == .seconds(1200))
        pacing.setClockOffset(of: "sts", to: .seconds(600))
        #expect(pacing.clockOffset(of: "ec2") == .seconds(1200))
    }

    @Test func `an account with another allowance is paced by that`() {
        let start = ContinuousClock.now
        var bucket = TokenBucket(.ec2Mutate, factor: 0.2, now: start)
        let first = (1...2).map { _ in bucket.reserve(at: start, within: .zero) }
        let third = bucket.reserve(at: start, within: .seconds(10))?.inSeconds ?? -1
        #expect(first == [.zero, .zero])
        #expect(abs(third - 1 / (0.2 * 3)) < 1e-6)
    }

    @Test func `filters are literal`() {
        var parameters = FormParameters()
        parameters.add([Filter("tag:a", ["x*?\\y", "ü z"])])
        #expect(
            parameters.encoded
                == "Filter.1.Name=tag%3Aa&Filter.1.Value.1=x%5C%2A%5C%3F%5C%5Cy&Filter.1.Value.2=%C3%BC%20z"
        )
    }
}
