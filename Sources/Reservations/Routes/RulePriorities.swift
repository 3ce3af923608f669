import Jobs
import Platform

/// The priorities that rules of a listener can have, in the order in which a reservation tries them.
///
/// Each reservation begins at another place, so that they seldom meet. (Elastic Load Balancing API reference,
/// CreateRule.)
struct RulePriorities: Sendable {
    static let all = 1...50_000

    private let start: Int

    init(_ reservation: ReservationID) {
        self.start = Int(StableHash(reservation.description).value % UInt64(Self.all.count))
    }

    /// The first that none of the rules has; nil if the listener is full.
    func firstFree(besides taken: [Int]) -> Int? {
        let taken = Set(taken)
        return (0..<Self.all.count).lazy.map { (self.start + $0) % Self.all.count + 1 }
            .first { !taken.contains($0) }
    }
}

/// Others took every priority that was tried; the next attempt of the job looks again.
struct PriorityContention: Error, DescribedFailure {
    var failureCode: String { "PriorityInUse" }
    var isWorthAnotherTry: Bool { true }
}
