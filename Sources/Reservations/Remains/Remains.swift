import Jobs
import Kubernetes
import Platform
import Postgres

/// What a reservation leaves behind: host name, route, services and pod.
///
/// Whatever an earlier try has removed is found gone and passed over.
struct Remains: Sendable {
    let reservation: ReservationID
    let names: HostNameRemoval
    let routes: RouteRemoval
    /// Nil where there is no way to Kubernetes, and no pod that one would need it for.
    let pods: PodRemoval?
    /// Nil if there is no disk to list, or nowhere to store a listing.
    let listing: ContentsListing?

    private static let pause: Duration = .seconds(5)

    struct Removed: Sendable {
        let names: HostNameRemoval.Removed
        let route: RouteRemoval.Removed

        var writes: [Write] { self.names.writes + self.route.writes }
    }

    enum Outcome: Sendable {
        case removed(Removed)
        case waiting(Duration, Reason)
    }

    /// Goes as far as can be gone now.
    ///
    /// A cluster that cannot be read does not keep name and route from going, nor does AWS keep the pod.
    func remove() async throws -> Outcome {
        let pods = self.pods
        let sight = await Self.attempt { try await pods?.look() ?? .absent }
        if case .success(.ours(let pod)) = sight, let pause = try await self.pause(for: pod) { return pause }
        let access = await Self.attempt { try await self.removeAccess() }
        switch try sight.get() {
        case .ours(let pod): return try await self.end(pod)
        case .absent: try await pods?.removeServices()
        case .foreign: break
        }
        return try access.get()
    }

    /// What there is, in a dry run.
    func survey() async throws -> (removed: Removed?, pod: String?) {
        let sight = try await self.pods?.look()
        let pod: String? = if case .ours(let pod) = sight { pod.name } else { nil }
        guard case .removed(let removed) = try await self.removeAccess() else { return (nil, pod) }
        return (removed, pod)
    }

    /// The wait for what an earlier try has begun.
    private func pause(for pod: Pod) async throws -> Outcome? {
        if pod.isTerminating {
            try await self.pods?.hasten(pod)
            return Self.waiting(for: pod)
        }
        return try await self.listing?.isUnderWay() ?? false ? Self.waitingForListing : nil
    }

    /// Has the disk listed by the running pod, then ends the pod.
    private func end(_ pod: Pod) async throws -> Outcome {
        if pod.phase == .running, let listing, try await listing.begin(in: pod.name) {
            return Self.waitingForListing
        }
        try await self.pods?.end(pod)
        return Self.waiting(for: pod)
    }

    private func removeAccess() async throws -> Outcome {
        let names = try await self.names.remove(namesOf: self.reservation)
        switch try await self.routes.remove(routeOf: self.reservation) {
        case .inUse(let group): return .waiting(RouteRemoval.patience, .targetGroupInUse(group))
        case .removed(let route): return .removed(Removed(names: names, route: route))
        }
    }

    private static func attempt<Value>(_ body: () async throws -> Value) async -> Result<Value, any Error> {
        do { return .success(try await body()) } catch { return .failure(error) }
    }

    private static func waiting(for pod: Pod) -> Outcome {
        .waiting(self.pause, Reason("pod-terminating", "pod \(pod.name) has not ended yet"))
    }

    private static let waitingForListing = Outcome.waiting(
        ContentsListing.pause,
        Reason("listing", "the files of the disk are being listed")
    )
}
