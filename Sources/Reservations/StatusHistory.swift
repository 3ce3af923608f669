import FoundationEssentials
import Jobs
import Postgres

/// The column `status_history`: a list of objects that several programs append to, each in its own way.
struct StatusHistory: Sendable {
    private let entries: [Entry]

    /// Anything that cannot be read is passed over.
    init(_ json: String?) {
        let decoded = try? JSONDecoder().decode([Lenient].self, from: Data((json ?? "[]").utf8))
        self.entries = (decoded ?? []).compactMap(\.entry)
    }

    /// When the reservation last came into `status`, where that is noted.
    func time(of status: ReservationStatus) -> Date? {
        self.entries.filter { $0.status == status.rawValue }.compactMap(\.time).max()
    }

    /// Whether it is noted that the container ran out of memory when it had been restarted so often.
    func hasNoted(_ container: String, restarts: Int) -> Bool {
        self.entries.contains { $0.container == container && $0.restarts == restarts }
    }

    /// One line to append, now.
    static func line(_ status: String, _ message: String?) -> SQL {
        """
        jsonb_build_array(jsonb_strip_nulls(jsonb_build_object(
            'status', \(status)::text, 'timestamp', to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
            'message', \(message)::text)))
        """
    }
}

extension StatusHistory {
    private struct Entry: Decodable, Sendable {
        let status: String?
        let time: Date?
        let container: String?
        let restarts: Int?

        init(from decoder: any Decoder) throws {
            let fields = try decoder.container(keyedBy: Field.self)
            self.status = try? fields.decode(String.self, forKey: .status)
            self.container = try? fields.decode(String.self, forKey: .container)
            self.restarts = try? fields.decode(Int.self, forKey: .restarts)
            let texts = [Field.timestamp, .at, .time].compactMap {
                try? fields.decode(String.self, forKey: $0)
            }
            let seconds = try? fields.decode(Double.self, forKey: .timestamp)
            self.time =
                texts.compactMap { Moment(wire: $0)?.date }.first
                ?? seconds.map { Date(timeIntervalSince1970: $0) }
        }

        private enum Field: String, CodingKey {
            case status, timestamp, at, time, container
            case restarts = "restart_count"
        }
    }

    /// An element of any kind.
    private struct Lenient: Decodable, Sendable {
        let entry: Entry?

        init(from decoder: any Decoder) throws { self.entry = try? Entry(from: decoder) }
    }
}
