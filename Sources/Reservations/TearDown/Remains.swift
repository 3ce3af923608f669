import Jobs
import Kubernetes
import Platform
import Postgres

/// What a reservation leaves behind: host name, route, services and pod.
///
/// Whatever an earlier attempt has removed is found gone and passed over.
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

    /// Removes as much as can be removed now; the job comes back for what it must wait for.
    ///
    /// A cluster that cannot be read does not keep name and route from going, nor does AWS keep the pod.
    func remove() async throws -> Removed {
        let pods = self.pods
        let sight = await Self.attempt { try await pods?.look() ?? .absent }
        if case .success(.ours(let pod)) = sight { try await self.waitIfEnding(pod) }
        let access = await Self.attempt { try await self.removeAccess() }
        switch try sight.get() {
        case .ours(let pod): throw try await self.end(pod)
        case .absent: try await pods?.removeServices()
        case .foreign: break
        }
        return try access.get()
    }

    /// What there is, in a dry run.
    func survey() async throws -> (removed: Removed, pod: String?) {
        let sight = try await self.pods?.look()
        let pod: String? = if case .ours(let pod) = sight { pod.name } else { nil }
        return (try await self.removeAccess(), pod)
    }

    /// Waits for what an earlier attempt has begun.
    private func waitIfEnding(_ pod: Pod) async throws {
        if pod.isTerminating {
            try await self.pods?.hasten(pod)
            throw Self.waiting(for: pod)
        }
        if try await self.listing?.isUnderWay() ?? false { throw Self.waitingForListing }
    }

    /// Has the disk listed by the running pod, then ends the pod; what to wait for.
    private func end(_ pod: Pod) async throws -> Conclusion {
        if pod.phase == .running, let listing, try await listing.begin(in: pod.name) {
            return Self.waitingForListing
        }
        try await self.pods?.end(pod)
        return Self.waiting(for: pod)
    }

    private func removeAccess() async throws -> Removed {
        let names = try await self.names.remove(namesOf: self.reservation)
        return Removed(names: names, route: try await self.routes.remove(routeOf: self.reservation))
    }

    private static func attempt<Value>(_ body: () async throws -> Value) async -> Result<Value, any Error> {
        do { return .success(try await body()) } catch { return .failure(error) }
    }

    private static func waiting(for pod: Pod) -> Conclusion {
        .snooze(self.pause, Reason("pod-terminating", "pod \(pod.name) has not ended yet"))
    }

    private static let waitingForListing = Conclusion.snooze(
        ContentsListing.pause,
        Reason("listing", "the files of the disk are being listed")
    )
}
