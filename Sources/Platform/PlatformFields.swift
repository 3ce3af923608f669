package import Jobs

extension PayloadField<UserID> {
    package static var owner: PayloadField {
        .required("user_id", "Whose disk it is, usually an e-mail address; the tag gpu-dev-user.")
    }
}

extension PayloadField<DiskName> {
    package static var disk: PayloadField {
        .required("disk_name", "The disk's name, unique for its user; the tag disk_name.")
    }
}

extension PayloadField<ReservationID> {
    package static var reservation: PayloadField {
        .required("reservation_id", "The reservation, as in reservations.reservation_id.")
    }
}

extension EventField {
    package static func owner(_ value: @escaping @Sendable (Data) -> String) -> EventField {
        .field(
            "user_id",
            "Whose disk it is, usually an e-mail address; the tag gpu-dev-user.",
            as: UserID.schema,
            value
        )
    }

    package static func disk(_ value: @escaping @Sendable (Data) -> String) -> EventField {
        .field(
            "disk_name",
            "The disk's name, unique for its user; the tag disk_name.",
            as: DiskName.schema,
            value
        )
    }

    package static func reservation(_ value: @escaping @Sendable (Data) -> String) -> EventField {
        .field(
            "reservation_id",
            "The reservation, as in reservations.reservation_id.",
            as: ReservationID.schema,
            value
        )
    }
}
