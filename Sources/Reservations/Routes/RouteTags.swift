import AWS
import Jobs
import Platform

/// The tags by which target groups and rules know their reservation.
enum RouteTag {
    static let name = "Name"
    static let manager = "ManagedBy"
    static let reservation = "ReservationId"
    static let pod = "PodName"
    static let host = "Subdomain"

    /// What is written now comes first; the other is what older programs wrote.
    static let managers = ["gpu-dev-worker", "gpu-dev-lambda"]
}

extension Tags {
    /// Whether programs of this platform made what has these tags.
    var areOfThePlatform: Bool { RouteTag.managers.contains(self[RouteTag.manager] ?? "") }

    /// Whether what has these tags was made for this reservation.
    func areOf(_ reservation: ReservationID) -> Bool {
        self.areOfThePlatform && self[RouteTag.reservation] == reservation.description
    }
}
