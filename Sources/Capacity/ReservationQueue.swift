import FoundationEssentials
import Postgres

/// The reservations that wait and those that hold machines.
struct ReservationQueue: Sendable {
    struct Waiting: Sendable {
        let id: String
        let type: String
        let gpus: Int
        let hours: Double
    }

    struct Active: Sendable {
        let type: String
        let gpus: Int
        let pod: String
        let expiry: Date
    }

    /// The oldest first; whoever came within the last half minute is left out.
    let waiting: [Waiting]
    /// Those whose end is known.
    let active: [Active]

    static func read(from database: PostgresPool) async throws -> ReservationQueue {
        let rows = try await database.run(
            """
            SELECT reservation_id, status, gpu_type, coalesce(gpu_count, 1) AS gpu_count, duration_hours, pod_name,
                expires_at
            FROM reservations
            WHERE gpu_type IS NOT NULL
                AND (status = 'queued' AND created_at < now() - interval '30 s'
                    OR status = 'active' AND expires_at IS NOT NULL AND pod_name IS NOT NULL)
            ORDER BY created_at, reservation_id
            """
        ).rows
        var (waiting, active): ([Waiting], [Active]) = ([], [])
        for row in rows {
            let (type, gpus): (String, Int) = (try row.read("gpu_type"), try row.read("gpu_count"))
            if try row.read("status", as: String.self) == "queued" {
                let (id, hours): (String, Double) = (
                    try row.read("reservation_id"), try row.read("duration_hours")
                )
                waiting.append(Waiting(id: id, type: type, gpus: gpus, hours: hours))
            } else {
                let (pod, expiry): (String, Date) = (try row.read("pod_name"), try row.read("expires_at"))
                active.append(Active(type: type, gpus: gpus, pod: pod, expiry: expiry))
            }
        }
        return ReservationQueue(waiting: waiting, active: active)
    }
}

/// The position and the estimate of a reservation that waits.
struct QueuePosition: Sendable, Hashable {
    let reservation: String
    let position: Int
    let gpus: Int
    let type: String
    /// Whole minutes, rounded up; nil if nobody knows.
    let minutes: Int?

    /// One sentence for the person.
    var text: String {
        let place =
            "Position \(self.position) in the queue for \(self.gpus) \(self.type) GPU\(self.gpus == 1 ? "" : "s")"
        return switch self.minutes {
        case 0: "\(place): there is enough now"
        case let minutes?: "\(place): about \(minutes) minute\(minutes == 1 ? "" : "s")"
        case nil: "\(place): it is not known when there will be enough"
        }
    }
}

extension ReservationQueue {
    /// Tells everyone who waits where they stand.
    ///
    /// - Parameters:
    ///   - types: The types of machines.
    ///   - cluster: The machines, and pods that wait and are served before all.
    ///   - now: The time.
    /// - Returns: One for each who waits for a type with GPUs, the oldest first.
    func positions(
        of types: [GPUType],
        in cluster: Cluster,
        now: Date
    ) -> [QueuePosition] {
        types.filter { !$0.hasSlots }.flatMap { type -> [QueuePosition] in
            let holdings = self.active.filter { $0.type == type.name }.compactMap { active in
                cluster.placesOfReservations[active.pod].map {
                    let gpus = min(active.gpus, type.gpusPerInstance)
                    return QueueForecast.Holding(machine: $0, gpus: gpus, end: active.expiry)
                }
            }
            var forecast = QueueForecast(
                machines: cluster.machines.filter { $0.isOf(type) },
                holdings: holdings,
                gpusPerMachine: type.gpusPerInstance,
                now: now
            )
            let first = cluster.waiting.filter { $0.type == type.name }
            for pod in first { _ = forecast.serve(.init(gpus: pod.gpus, duration: nil)) }
            return self.waiting.filter { $0.type == type.name }.enumerated().map { index, waiting in
                let request = QueueForecast.Request(gpus: waiting.gpus, duration: waiting.hours * 3600)
                return QueuePosition(
                    reservation: waiting.id,
                    position: first.count + index + 1,
                    gpus: waiting.gpus,
                    type: type.name,
                    minutes: forecast.serve(request).flatMap(Self.minutes)
                )
            }
        }
    }

    /// Rounded up; nil for what is further away than a year.
    private static func minutes(_ seconds: TimeInterval) -> Int? {
        seconds < 365 * 86_400 ? Int((seconds / 60).rounded(.up)) : nil
    }
}
