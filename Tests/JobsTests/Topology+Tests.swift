import RabbitMQ

@testable import Jobs

extension Topology {
    /// Two families, as a program might have them.
    static let ofTests = Topology(families: .ofTests)
}

extension [JobFamily] {
    static let ofTests = [
        JobFamily("disk", queue: "disks") { $0.text("disk_name").map { EventSubject("disk", $0) } },
        JobFamily("reservation", queue: "reservations") { _ in nil },
    ]
}

extension Envelope {
    convenience init(_ delivery: Delivery) throws(Malformed) { try self.init(delivery, in: .ofTests) }
}
