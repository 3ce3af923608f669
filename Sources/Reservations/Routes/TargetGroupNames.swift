import Jobs
import Platform

/// The names that a reservation's target group may have, best first: at most 32 letters, digits and hyphens.
struct TargetGroupNames: Sequence, Sendable {
    static let prefix = "jupyter-"

    private let names: [String]

    /// The second name is for reservations whose ids begin alike.
    init(_ reservation: ReservationID) {
        let start = reservation.description.prefix(8).filter { $0.isLetter || $0.isNumber || $0 == "-" }
        let hash = String(StableHash(reservation.description).value, radix: 16).suffix(12)
        self.names = [Self.prefix + start, "\(Self.prefix)\(start)-\(hash)"].map { name in
            String(name.reversed().drop { $0 == "-" }.reversed())
        }
    }

    func makeIterator() -> IndexingIterator<[String]> { self.names.makeIterator() }
}
