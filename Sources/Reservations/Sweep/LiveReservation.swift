import FoundationEssentials
import Jobs
import Platform
import Postgres

/// A reservation that has not ended, as a sweep sees it.
struct LiveReservation: Sendable {
    let id: ReservationID
    let status: ReservationStatus
    let pod: String
    let createTime: Date
    let launchTime: Date?
    let expiry: Date?
    let warningsGiven: Set<ExpiryWarning>
    let lastOutOfMemory: Date?
    let history: StatusHistory

    /// Whether the list of pods has its pod.
    enum PodSight: Sendable {
        case present, absent
        /// The list could not be had, which says nothing about the pod.
        case unknown
    }

    /// What a look at it leads to.
    enum Finding: Sendable, Equatable {
        case fine
        case over(ReservationEnd, String)
        /// Not in the list of pods: a second look at the pod alone must say so too.
        case withoutPod
        case nearlyOver(ExpiryWarning)
        /// Active for ever, which a person must look at.
        case withoutExpiry

        var isOver: Bool {
            if case .over = self { true } else { false }
        }
    }
}

extension LiveReservation {
    private static let expiryGrace: TimeInterval = 120
    private static let launchGrace: TimeInterval = 600
    private static let longestPreparation: TimeInterval = 3600
    private static let longestQueueing: TimeInterval = 48 * 3600

    func finding(at now: Date, _ sight: PodSight) -> Finding {
        switch self.status {
        case .pending, .queued:
            self.createTime.addingTimeInterval(Self.longestQueueing) < now
                ? .over(.cancelled, "it was not served within 48 hours") : .fine
        case .preparing:
            (self.history.time(of: .preparing) ?? self.createTime)
                .addingTimeInterval(Self.longestPreparation) < now
                ? .over(.failed, "it was not ready after an hour of preparation") : .fine
        case .active: self.activeFinding(at: now, sight)
        case .cancelled, .failed, .expired: .fine
        }
    }

    private func activeFinding(at now: Date, _ sight: PodSight) -> Finding {
        guard let expiry = self.expiry else { return .withoutExpiry }
        if expiry.addingTimeInterval(Self.expiryGrace) < now { return .over(.expired, "its time is up") }
        let launch = self.launchTime ?? self.createTime
        if sight == .absent, launch.addingTimeInterval(Self.launchGrace) < now { return .withoutPod }
        let minutesLeft = expiry.timeIntervalSince(now) / 60
        let warning = ExpiryWarning.due(minutesLeft: minutesLeft, given: self.warningsGiven)
        return warning.map { .nearlyOver($0) } ?? .fine
    }
}

extension LiveReservation {
    /// The next so many in the order of their ids, and the last of them if there may be more.
    static func page(after last: String, _ count: Int, in database: PostgresPool) async throws
        -> (reservations: [LiveReservation], last: String?)
    {
        let rows = try await database.run(
            """
            SELECT reservation_id, status, coalesce(pod_name, 'gpu-dev-' || left(reservation_id, 8)) AS pod,
                created_at, launched_at, expires_at, last_oom_at, status_history::text AS history,
                coalesce(warnings_sent ->> '30min_warning_sent' <> 'false', false) AS warned_at_30,
                coalesce(warnings_sent ->> '15min_warning_sent' <> 'false', false) AS warned_at_15,
                coalesce(warnings_sent ->> '5min_warning_sent' <> 'false', false) AS warned_at_5
            FROM reservations
            WHERE status = ANY(\(ReservationStatus.live.texts)::text[]) AND reservation_id > \(last)
            ORDER BY reservation_id LIMIT \(count)
            """
        ).rows
        let end = rows.count == count ? try rows.last?.read("reservation_id", as: String.self) : nil
        return (try rows.compactMap { try LiveReservation($0) }, end)
    }

    /// Nil if its id or status is none.
    private init?(_ row: PostgresRow) throws {
        guard let id = ReservationID(wire: try row.read("reservation_id")),
            let status = ReservationStatus(rawValue: try row.read("status"))
        else { return nil }
        self.id = id
        self.status = status
        self.pod = try row.read("pod")
        self.createTime = try row.read("created_at")
        self.launchTime = try row.readOptional("launched_at")
        self.expiry = try row.readOptional("expires_at")
        self.warningsGiven = try Set(
            ExpiryWarning.allCases.filter { try row.read("warned_at_\($0.rawValue)") }
        )
        self.lastOutOfMemory = try row.readOptional("last_oom_at")
        self.history = StatusHistory(try row.readOptional("history"))
    }
}

extension LiveReservation {
    /// Ends it, if it is still as it was read, and enqueues its teardown with that.
    func ending(as end: ReservationEnd, because reason: String) throws -> Write {
        let teardown = TearDownOrder(self.id, end)
        let enqueuing = try Write.enqueue(TearDown.kind, teardown, id: teardown.firstJob).sql
        let ending = Reservation.ending(self.id, as: end, because: reason)
        return Write(
            "WITH ended AS (" + ending + self.isUnchanged + " RETURNING reservation_id) " + enqueuing
                + " FROM ended"
        )
    }

    /// Warns, if it is still as it was read.
    func warning(_ warning: ExpiryWarning, at now: Date) -> Write {
        let keys = warning.settled.map(\.key)
        let minutes = Int(((self.expiry?.timeIntervalSince(now) ?? 0) / 60).rounded(.up))
        let message = "This reservation ends in \(minutes) minutes. Save your work, or extend it."
        let update: SQL = """
            UPDATE reservations SET warning = \(message), last_warning_time = extract(epoch FROM now())::bigint,
                warnings_sent = CASE jsonb_typeof(warnings_sent) WHEN 'object' THEN warnings_sent ELSE '{}' END
                    || (SELECT jsonb_object_agg(key, true) FROM unnest(\(keys)::text[]) AS key)
            WHERE reservation_id = \(self.id.description)
            """
        return Write(update + self.isUnchanged)
    }

    private var isUnchanged: SQL {
        """
         AND status = \(self.status.rawValue) AND expires_at IS NOT DISTINCT FROM \(self.expiry)::timestamptz
            AND launched_at IS NOT DISTINCT FROM \(self.launchTime)::timestamptz
        """
    }
}
