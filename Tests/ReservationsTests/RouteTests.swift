import Jobs
import Platform
import Testing

@testable import Reservations

@Suite struct `A route` {
    @Test func `takes the first free priority from a place of its own, and goes round`() throws {
        let priorities = RulePriorities(try #require(ReservationID(wire: "r-1")))
        let first = try #require(priorities.firstFree(besides: []))
        #expect(RulePriorities.all.contains(first))
        #expect(priorities.firstFree(besides: [first]) == (first == 50_000 ? 1 : first + 1))
        #expect(priorities.firstFree(besides: Array(first...50_000)) == 1)
        let other = RulePriorities(try #require(ReservationID(wire: "r-2")))
        #expect(other.firstFree(besides: []) != first)
    }

    @Test func `finds the last free priority, and that there is none`() throws {
        let priorities = RulePriorities(try #require(ReservationID(wire: "r-1")))
        #expect(priorities.firstFree(besides: RulePriorities.all.filter { $0 != 4711 }) == 4711)
        #expect(priorities.firstFree(besides: Array(RulePriorities.all)) == nil)
    }

    @Test(arguments: ["6f1c2f0e-9d4e-4a7b-8d0e-2f6f3f5f8a11", "r-1", "a_b.c-", "1234567-9"])
    func `has target groups of names that a load balancer takes`(_ id: String) throws {
        let reservation = try #require(ReservationID(wire: id))
        for name in TargetGroupNames(reservation) {
            #expect(name.utf8.count <= 32)
            #expect(name.wholeMatch(of: /jupyter-[A-Za-z0-9-]*[A-Za-z0-9]/) != nil)
        }
    }

    @Test func `has a target group of its own where ids begin alike`() throws {
        let one = Array(TargetGroupNames(try #require(ReservationID(wire: "6f1c2f0e-1"))))
        let other = Array(TargetGroupNames(try #require(ReservationID(wire: "6f1c2f0e-2"))))
        #expect(one[0] == "jupyter-6f1c2f0e" && one[0] == other[0])
        #expect(one[1] != other[1])
    }
}
