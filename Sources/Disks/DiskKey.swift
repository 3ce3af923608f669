import Jobs
import Platform

/// Whose disk it is and what it is called, which is unique.
///
/// Compared byte for byte, as PostgreSQL does: Swift takes two spellings of one accented letter for the same.
struct DiskKey: Hashable, Sendable, CustomStringConvertible {
    let user: String
    let name: String

    init(user: String, name: String) {
        self.user = user
        self.name = name
    }

    init(_ user: UserID, _ disk: DiskName) {
        self.init(user: user.description, name: disk.description)
    }

    /// What a job that works on the disk holds alone.
    var exclusiveKey: ExclusiveKey { .disk(user: self.user, name: self.name) }

    /// As the exclusive key has it.
    var description: String { self.exclusiveKey.description }

    static func == (one: DiskKey, other: DiskKey) -> Bool {
        one.name.utf8.elementsEqual(other.name.utf8) && one.user.utf8.elementsEqual(other.user.utf8)
    }

    func hash(into hasher: inout Hasher) {
        for byte in self.user.utf8 { hasher.combine(byte) }
        hasher.combine(0 as UInt8)
        for byte in self.name.utf8 { hasher.combine(byte) }
    }
}
