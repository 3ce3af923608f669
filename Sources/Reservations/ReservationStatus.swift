import Jobs
import Postgres

/// Where a reservation is in its life.
enum ReservationStatus: String, Sendable, CaseIterable {
    case pending, queued, preparing, active, cancelled, failed, expired

    var hasEnded: Bool { Self.ended.contains(self) }

    static let ended: [ReservationStatus] = [.cancelled, .failed, .expired]
    static let live = Self.allCases.filter { !$0.hasEnded }
}

extension [ReservationStatus] {
    /// For SQL: `status = ANY(…)`.
    var texts: [String] { self.map(\.rawValue) }
}

/// The state that a reservation ends in.
enum ReservationEnd: String, Sendable, CaseIterable, PayloadValue {
    case cancelled, failed, expired

    var status: ReservationStatus {
        switch self {
        case .cancelled: .cancelled
        case .failed: .failed
        case .expired: .expired
        }
    }
}
