import Jobs
import Platform

/// The payload of jobs that remove something of a reservation.
struct RemovalPayload: DryRunPayload {
    let reservation: ReservationID
    let isDryRun: Bool

    static let shape = PayloadShape(Self.init, .reservation, .dryRun)
}
