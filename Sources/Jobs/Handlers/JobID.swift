package import FoundationEssentials
import Postgres

/// The identity of a job: the `message_id` of its message, a UUID.
package struct JobID: Hashable, Sendable, CustomStringConvertible {
    package let uuid: UUID

    /// Lower case, as PostgreSQL prints it; made once, since log, event and headers all want it.
    package let description: String

    /// A new one, a UUID of version 7 (RFC 9562) as `new_job_id` of the schema makes them: milliseconds since 1970, then
    /// chance.
    package init() {
        let milliseconds = UInt64(Date().timeIntervalSince1970 * 1000)
        var bytes = (0..<16).map { index in
            index < 6
                ? UInt8(truncatingIfNeeded: milliseconds >> UInt64(40 - 8 * index))
                : .random(in: .min ... .max)
        }
        bytes[6] = 0x70 | bytes[6] & 0x0f
        bytes[8] = 0x80 | bytes[8] & 0x3f
        self.init(UUID(bytes: bytes))
    }

    package init(_ uuid: UUID) {
        self.uuid = uuid
        self.description = uuid.text
    }

    /// Reads a UUID in its usual form, in either case; nothing else.
    package init?(_ text: String) {
        guard let uuid = UUID(text: text) else { return nil }
        self.init(uuid)
    }

    /// The id of a job that follows from this one for `purpose`: the same each time, and another for each purpose.
    ///
    /// A UUID of version 8 (RFC 9562, section 5.8): the digits of this id combined with a digest (FNV-1a) of the
    /// purpose, so that two jobs never have the same successor.
    package func derived(for purpose: String) -> JobID {
        let digest = [0, 1].map { StableHash(purpose, seed: $0).value }
        var position = 0
        let text = self.description.map { character in
            guard let digit = character.hexDigitValue else { return String(character) }
            defer { position += 1 }
            let change = Int(digest[position / 16] >> UInt64(position % 16 * 4) & 0xF)
            return switch position {
            case 12: "8"
            case 16: String(digit, radix: 16)
            default: String(digit ^ change, radix: 16)
            }
        }
        return JobID(text.joined()) ?? self
    }

    package static func == (one: JobID, other: JobID) -> Bool { one.uuid == other.uuid }

    package func hash(into hasher: inout Hasher) { hasher.combine(self.uuid) }
}
