import Testing

@testable import struct RabbitMQ.ConfirmWindow

struct ConfirmWindowTests {
    private static func settle(_ number: UInt64, multiple: Bool, in window: inout ConfirmWindow<Int>) -> [Int]
    {
        var slots: [Int] = []
        window.settle(number, multiple: multiple) { slots.append($0) }
        return slots
    }

    @Test func `one confirm settles one publish or all before it`() {
        var window = ConfirmWindow<Int>()
        let numbers = (1...5).map { window.open($0) }
        #expect(numbers == [1, 2, 3, 4, 5])
        let confirms: [(UInt64, Bool)] = [(2, false), (4, true), (4, true), (5, false)]
        let settled = confirms.map { Self.settle($0, multiple: $1, in: &window) }
        #expect(settled == [[2], [1, 3, 4], [], [5]])
        #expect(window.openCount == 0)
        let next = window.open(6)
        #expect(next == 6)
    }

    @Test func `a confirm of nothing that is open settles nothing`() {
        var window = ConfirmWindow<Int>()
        var settled = Self.settle(1, multiple: false, in: &window)
        _ = window.open(1)
        settled += Self.settle(0, multiple: true, in: &window) + Self.settle(9, multiple: true, in: &window)
        #expect(settled.isEmpty)
        #expect(window.openCount == 1)
    }

    @Test func `numbers go on over many publishes while one stays open`() {
        var window = ConfirmWindow<Int>()
        _ = window.open(1)
        let settled = (2...10_000).flatMap { index in
            Self.settle(window.open(index), multiple: false, in: &window)
        }
        #expect(settled == Array(2...10_000))
        let last = Self.settle(10_000, multiple: true, in: &window)
        #expect(last == [1])
    }
}
