import FoundationEssentials
import Jobs
import Kubernetes
import Platform
import Postgres

/// Containers of one pod that ran out of memory at the same moment.
struct OutOfMemory: Sendable, Equatable {
    let containers: [String]
    /// Nil where Kubernetes does not report it; then `restarts` tells one time from another.
    let time: Date?
    let restarts: Int

    /// What a pod's containers report that has not been noted yet, oldest first.
    static func found(in pod: Pod, since last: Date?, _ history: StatusHistory) -> [OutOfMemory] {
        let ends = pod.containerStatuses.flatMap { status in
            [status.lastTermination, status.termination].compactMap { $0 }
                .filter { $0.reason == "OOMKilled" }
                .map { (status: status, time: $0.finishTime) }
        }
        let timed = Dictionary(grouping: ends.filter { $0.time != nil }) { $0.time ?? .distantPast }
            .filter { time, _ in last.map { time > $0 } ?? true }
            .sorted { $0.key < $1.key }
            .map { OutOfMemory(containers: $1.map(\.status.name).sorted(), time: $0, restarts: 0) }
        let untimed = ends.filter { $0.time == nil }.map(\.status)
            .filter { !history.hasNoted($0.name, restarts: $0.restartCount) }
            .map { OutOfMemory(containers: [$0.name], time: nil, restarts: $0.restartCount) }
        return timed + untimed
    }

    /// Counts it, unless that has been done meanwhile.
    func note(on reservation: ReservationID) -> Write {
        let names = self.containers.joined(separator: ",")
        let counted: SQL = """
            UPDATE reservations SET oom_count = coalesce(oom_count, 0) + \(self.containers.count),
                oom_container = left(\(names), 255),
            """
        guard let time = self.time else {
            let marker: SQL = """
                jsonb_build_array(jsonb_build_object('container', \(names)::text, 'restart_count', \(self.restarts)::integer))
                """
            let line = StatusHistory.line("out-of-memory", "container \(names) ran out of memory")
            return Write(
                counted + """
                     last_oom_at = now(), status_history = coalesce(status_history, '[]')
                        || jsonb_build_array((\(line) -> 0) || (\(marker) -> 0))
                    WHERE reservation_id = \(reservation.description)
                        AND NOT coalesce(status_history, '[]') @> \(marker)
                    """
            )
        }
        return Write(
            counted + """
                 last_oom_at = \(time)
                WHERE reservation_id = \(reservation.description) AND (last_oom_at IS NULL OR last_oom_at < \(time))
                """
        )
    }
}
