import Testing

@testable import struct RabbitMQ.Acknowledgements

struct AcknowledgementsTests {
    private typealias Frame = Acknowledgements.Frame

    private func acknowledgements(of count: UInt64) -> Acknowledgements {
        var acknowledgements = Acknowledgements()
        acknowledgements.noteDelivery(count)
        return acknowledgements
    }

    @Test func `contiguous acknowledgements share one frame, in any order`() {
        var acknowledgements = self.acknowledgements(of: 5)
        for number: UInt64 in [3, 1, 2] { _ = acknowledgements.settle(number, .acknowledge) }
        #expect(acknowledgements.takeFrames() == [Frame(verdict: .acknowledge, number: 3, multiple: true)])
        #expect(acknowledgements.openCount == 2)
        #expect(acknowledgements.isEmpty)
    }

    @Test func `an open delivery is never covered by another's frame`() {
        var acknowledgements = self.acknowledgements(of: 5)
        for number: UInt64 in [1, 3, 4] { _ = acknowledgements.settle(number, .acknowledge) }
        let frames = acknowledgements.takeFrames()
        #expect(frames == [1, 3, 4].map { Frame(verdict: .acknowledge, number: $0) })
        _ = acknowledgements.settle(2, .acknowledge)
        _ = acknowledgements.settle(5, .acknowledge)
        #expect(acknowledgements.takeFrames() == [Frame(verdict: .acknowledge, number: 5, multiple: true)])
        #expect(acknowledgements.openCount == 0)
    }

    @Test func `what goes back or is rejected goes first`() {
        var acknowledgements = self.acknowledgements(of: 3)
        _ = acknowledgements.settle(1, .acknowledge)
        _ = acknowledgements.settle(3, .acknowledge)
        _ = acknowledgements.settle(2, .giveBack)
        #expect(
            acknowledgements.takeFrames() == [
                Frame(verdict: .giveBack, number: 2),
                Frame(verdict: .acknowledge, number: 3, multiple: true),
            ]
        )
    }

    @Test func `a second verdict and an unknown delivery are dropped`() {
        var acknowledgements = self.acknowledgements(of: 2)
        let verdicts: [(UInt64, Acknowledgements.Verdict)] = [
            (2, .acknowledge), (2, .reject), (1, .acknowledge), (1, .acknowledge), (3, .giveBack),
            (0, .acknowledge),
        ]
        let accepted = verdicts.map { acknowledgements.settle($0, $1) }
        #expect(accepted == [true, false, true, false, false, false])
    }

    @Test(arguments: 0..<20)
    func `the broker hears of every delivery once, whatever the order`(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var acknowledgements = self.acknowledgements(of: 200)
        var unacked = Set<UInt64>(1...200)
        for number in (1...200 as ClosedRange<UInt64>).shuffled(using: &generator) {
            _ = acknowledgements.settle(
                number,
                [.acknowledge, .giveBack, .reject].randomElement(using: &generator) ?? .reject
            )
            guard UInt64.random(in: 0..<7, using: &generator) == 0 || acknowledgements.openCount == 0 else {
                continue
            }
            for frame in acknowledgements.takeFrames() {
                let isKnown = unacked.remove(frame.number) != nil
                #expect(isKnown)
                if frame.multiple { unacked = unacked.filter { $0 > frame.number } }
            }
            #expect(unacked.count == acknowledgements.openCount)
        }
        #expect(unacked.isEmpty)
    }
}

/// A generator whose numbers follow from the seed (Knuth's linear congruence).
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { self.state = seed }

    mutating func next() -> UInt64 {
        self.state = self.state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return (self.state >> 32) | (self.state << 32)
    }
}
