import Testing

@testable import Postgres

@Suite struct PoolStateTests {
    @Test func `a connection that comes back goes to the oldest waiter`() {
        var state = PoolState<Member>(limits: 1...1)
        let member = Member()
        for waiter in 1...3 { _ = state.admit(waiter) }
        state.startOpening()
        #expect(Self.waiter(served: state.opened(member)) == 1)
        #expect(Self.waiter(served: state.giveBack(member, isUsable: true)) == 2)
        state.remove(3)
        #expect(Self.waiter(served: state.giveBack(member, isUsable: true)) == nil)
        #expect(state.idle.count == 1 && state.leased == 0)
    }

    @Test func `as many connections are opened as callers wait, up to the limit`() {
        var state = PoolState<Member>(limits: 0...2)
        #expect(!state.wantsOpening)
        for waiter in 1...3 {
            _ = state.admit(waiter)
            if state.wantsOpening { state.startOpening() }
        }
        #expect(state.opening == 2)
    }

    @Test func `while connecting fails, one attempt follows the other after a pause`() {
        var state = PoolState<Member>(limits: 0...8)
        for waiter in 1...3 { _ = state.admit(waiter) }
        state.startOpening()
        state.failedToOpen()
        #expect(!state.wantsOpening)
        state.endBackoff()
        #expect(state.wantsOpening)
        state.startOpening()
        #expect(!state.wantsOpening)
        _ = state.opened(Member())
        #expect(state.wantsOpening)
    }

    @Test func `a broken connection is closed and its place is free`() {
        var state = PoolState<Member>(limits: 0...1)
        let member = Member()
        _ = state.admit(1)
        state.startOpening()
        _ = state.opened(member)
        _ = state.admit(2)
        guard case .close(let closed) = state.giveBack(member, isUsable: false) else {
            Issue.record("a broken connection was kept")
            return
        }
        #expect(closed === member && state.wantsOpening)
    }

    @Test func `only idle connections above the lower bound go`() {
        var state = PoolState<Member>(limits: 1...4)
        let members = [Member(), Member(), Member()]
        for waiter in 1...3 { _ = state.admit(waiter) }
        for member in members {
            state.startOpening()
            _ = state.opened(member)
        }
        for member in members { _ = state.giveBack(member, isUsable: true) }
        #expect(state.surplus == 2)
        let trimmed = state.trim(10)
        #expect(trimmed.count == 2 && trimmed[0] === members[0] && state.idle[0] === members[2])
        #expect(state.surplus == 0)
    }

    @Test func `after closing nobody gets anything`() {
        var state = PoolState<Member>(limits: 1...1)
        _ = state.admit(1)
        #expect(state.close().waiters == [1])
        guard case .refuse = state.admit(2) else {
            Issue.record("a closed pool admitted a caller")
            return
        }
        #expect(!state.wantsOpening)
    }

    private static func waiter(served placement: PoolState<Member>.Placement) -> Int? {
        if case .lease(_, let waiter) = placement { waiter } else { nil }
    }
}

private final class Member {}
