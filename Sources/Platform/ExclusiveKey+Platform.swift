package import Jobs
package import Postgres

extension ExclusiveKey {
    package static func disk(user: String, name: String) -> ExclusiveKey {
        ExclusiveKey("disk", "\(user)/\(name)")
    }

    /// The same in SQL, of expressions of type `text`.
    package static func disk(user: SQL, name: SQL) -> SQL { "'disk:' || \(user) || '/' || \(name)" }

    package static func reservation(_ id: ReservationID) -> ExclusiveKey {
        ExclusiveKey("reservation", id.description)
    }

    /// The same in SQL, of an expression of type `text`.
    package static func reservation(_ id: SQL) -> SQL { "'reservation:' || \(id)" }
}
