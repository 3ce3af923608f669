import FoundationEssentials
import Jobs
import Platform
import Postgres

/// The payload of a `reservation.tear-down` that a sweep enqueues, and the ids that it may have.
///
/// They follow from what is to be done, so that sweeps which find the same do not pile up.
struct TearDownOrder: Encodable, Sendable {
    private let reservation_id: String
    private let status: String

    init(_ reservation: ReservationID, _ end: ReservationEnd) {
        self.reservation_id = reservation.description
        self.status = end.rawValue
    }

    /// When the reservation ends.
    var firstJob: JobID { SweepJobs.id("tear-down/\(self.reservation_id)/\(self.status)") }

    /// When an earlier one has ended, and something is left: one in an hour.
    func laterJob(at now: Date) -> JobID { SweepJobs.id("resume/\(self.reservation_id)", at: now) }
}

/// The ids of jobs that sweeps enqueue.
enum SweepJobs {
    private static let base = JobID(
        UUID(
            uuid: (
                0x5e, 0x0f, 0x2b, 0x6c, 0x91, 0x34, 0x4d, 0x0a, 0x8f, 0x47, 0x1d, 0xc3, 0x76, 0xa2, 0x58, 0xe9
            )
        )
    )

    /// The removal of the route of a reservation that is over: one in an hour.
    static func route(of reservation: ReservationID, at now: Date) -> JobID {
        self.id("route/\(reservation)", at: now)
    }

    static func id(_ purpose: String) -> JobID { self.base.derived(for: purpose) }

    /// The same within an hour.
    static func id(_ purpose: String, at now: Date) -> JobID {
        self.id("\(purpose)/\(Int(now.timeIntervalSince1970 / 3600))")
    }
}
