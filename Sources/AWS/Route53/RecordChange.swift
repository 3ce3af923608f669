/// One step of a batch of DNS changes; a batch is carried out whole or not at all.
package enum RecordChange: Sendable, Hashable {
    /// Refused if the record set exists.
    case create(RecordSet)
    /// Makes or replaces.
    case upsert(RecordSet)
    /// Needs the record set exactly as it is: name, type, time to live and every value.
    case delete(RecordSet)

    var action: String {
        switch self {
        case .create: "CREATE"
        case .upsert: "UPSERT"
        case .delete: "DELETE"
        }
    }

    var recordSet: RecordSet {
        switch self {
        case .create(let set), .upsert(let set), .delete(let set): set
        }
    }

    /// Whether a repetition changes nothing and is not refused.
    var isIdempotent: Bool {
        if case .upsert = self { true } else { false }
    }
}

/// A batch of DNS changes that Route 53 has taken.
package struct ChangeInfo: Sendable, Hashable {
    /// Without the prefix `/change/`.
    package let id: String
    /// Whether all name servers of the zone have it (`INSYNC`).
    package let isInSync: Bool
}
