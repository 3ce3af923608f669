import Fuzzing
import Testing

@testable import Jobs

@Suite struct `The shares of slots` {
    @Test(arguments: [
        (64, 3, 10, 44), (64, 1, 32, 64), (16, 3, 2, 12), (3, 3, 1, 1), (4, 3, 1, 2), (2, 3, 0, 2),
    ])
    func `promise half and lend the rest`(slots: Int, lanes: Int, guaranteed: Int, most: Int) {
        var shares = SlotShares(slots: slots, lanes: lanes)
        #expect(shares.guaranteed == guaranteed)
        #expect(shares.most == most)
        while shares.mayTake(0) { shares.take(0) }
        #expect(shares.taken[0] == most)
        for lane in 1..<max(1, lanes) {
            for _ in 0..<guaranteed {
                #expect(shares.mayTake(lane))
                shares.take(lane)
            }
        }
    }

    @Test(arguments: 0..<60)
    func `never exceed the slots, and leave to each what it was promised`(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let lanes = Int.random(in: 1...5, using: &random)
        var shares = SlotShares(slots: .random(in: 1...80, using: &random), lanes: lanes)
        for _ in 0..<400 {
            let lane = Int.random(in: 0..<lanes, using: &random)
            if Bool.random(using: &random), shares.mayTake(lane) {
                shares.take(lane)
            } else if shares.taken[lane] > 0 {
                shares.free(lane)
            }
            #expect(shares.taken.reduce(0, +) <= shares.slots)
            #expect(shares.taken.allSatisfy { $0 <= shares.most })
            var others = shares
            for lane in 0..<lanes {
                while others.taken[lane] < shares.guaranteed {
                    #expect(others.mayTake(lane))
                    others.take(lane)
                }
            }
            #expect(others.taken.reduce(0, +) <= shares.slots)
        }
    }
}
