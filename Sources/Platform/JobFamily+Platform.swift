package import Jobs

extension [JobFamily] {
    /// The families of the platform, by the names of their queues.
    package static let platform: [JobFamily] = [
        JobFamily("capacity", queue: "capacity") { $0.isObject ? EventSubject("capacity") : nil },
        JobFamily("disk", queue: "disks") { payload in
            if let user = payload.name("user_id"), let disk = payload.name("disk_name") {
                EventSubject("disk", user, disk)
            } else {
                payload.name("volume_id").map { EventSubject("volume", $0) }
            }
        },
        JobFamily("reservation", queue: "reservations") { payload in
            payload.name("reservation_id").map { EventSubject("reservation", $0) }
        },
    ]
}

extension JobBody {
    /// A name of something of the platform; nil if the field is no text, or too long for a name.
    fileprivate func name(_ field: String) -> String? {
        guard let text = self.text(field), !text.isEmpty else { return nil }
        // Names are columns of 255 characters; what cleaning would change was never one.
        return text.cleaned(utf8Bytes: 1024) == text ? text : nil
    }
}
