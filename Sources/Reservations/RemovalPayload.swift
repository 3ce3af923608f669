import Jobs

/// The payload of jobs that take something of a reservation away.
struct RemovalPayload: Decodable, DryRunPayload {
    let reservation: ReservationID
    let isDryRun: Bool

    init(from decoder: any Decoder) throws {
        let (reservation, isDryRun) = try PayloadFields(decoder).read(
            PayloadField<ReservationID>.required("reservation_id"),
            PayloadField<Switch?>.optional("dry_run")
        )
        self.reservation = reservation
        self.isDryRun = isDryRun?.isOn ?? false
    }
}
