import FoundationEssentials

/// The largest body that is read; a larger one is malformed.
package let largestJobBody = 1 << 20

/// The deepest nesting of arrays and objects that is read.
package let deepestJobBody = 64

/// Checks what can be told from the bytes alone, before anything parses them.
///
/// Size, encoding, nesting, NUL, which PostgreSQL cannot store in text, and what Foundation lets pass: commas at the end of a
/// list, and in the fields that nobody reads broken escapes and numbers. One pass, no allocation.
package func checkJobBody(_ body: [UInt8]) throws(Malformed) {
    guard body.count <= largestJobBody else {
        throw Malformed("size", "the body has \(body.count) bytes; at most \(largestJobBody) are read")
    }
    guard String(validating: body, as: UTF8.self) != nil else {
        throw Malformed("encoding", "the body is not UTF-8")
    }
    var scan = NestingScan()
    for byte in body { try scan.read(byte) }
}

/// Decodes a body that `checkJobBody` has passed.
///
/// Throws `Malformed` if it is not JSON at all, and `PayloadFaults` if it is JSON of another shape.
package func decodePayload<Payload: Decodable>(_ type: Payload.Type, from body: [UInt8]) throws -> Payload {
    do {
        return try JSONDecoder().decode(type, from: Data(body))
    } catch let faults as PayloadFaults {
        throw faults
    } catch {
        throw Malformed("json", "the body is not JSON (RFC 8259)")
    }
}

/// Follows nesting, text and numbers through JSON without judging the rest of its grammar.
private struct NestingScan {
    private var depth = 0
    private var isInString = false
    private var isAfterComma = false
    private var number = NumberScan()
    /// How many bytes of an escape have been read: none, the backslash, or that, `u` and digits.
    private var escape = 0
    /// Whether a digit of the escape is not zero.
    private var escapesText = false

    mutating func read(_ byte: UInt8) throws(Malformed) {
        guard byte != 0 else { throw Malformed("json", "the body holds a NUL byte") }
        if self.isInString { try self.readInString(byte) } else { try self.readOutside(byte) }
    }

    private mutating func readOutside(_ byte: UInt8) throws(Malformed) {
        guard self.number.read(byte) else { throw Malformed("json", "the body is not JSON: a broken number") }
        switch byte {
        case 0x20, 0x09, 0x0A, 0x0D: return
        case UInt8(ascii: "\""): self.isInString = true
        case UInt8(ascii: "{"), UInt8(ascii: "["): self.depth += 1
        case UInt8(ascii: "}"), UInt8(ascii: "]"):
            guard !self.isAfterComma else {
                throw Malformed("json", "the body is not JSON: a comma before the end of a list")
            }
            self.depth -= 1
        default: break
        }
        self.isAfterComma = byte == UInt8(ascii: ",")
        guard self.depth <= deepestJobBody else {
            throw Malformed("json", "the body is nested more than \(deepestJobBody) deep")
        }
    }

    private mutating func readInString(_ byte: UInt8) throws(Malformed) {
        switch (self.escape, byte) {
        case (0, UInt8(ascii: "\\")): (self.escape, self.escapesText) = (1, false)
        case (0, UInt8(ascii: "\"")): self.isInString = false
        case (0, 0x20...): return
        case (1, UInt8(ascii: "u")): self.escape = 2
        case (1, _) where "\"\\/bfnrt".utf8.contains(byte): self.escape = 0
        case (2..., _) where Self.hexadecimal.contains(byte): try self.readDigit(byte)
        default:
            throw Malformed("json", "the body is not JSON: text with a broken escape or a control character")
        }
    }

    private mutating func readDigit(_ digit: UInt8) throws(Malformed) {
        self.escapesText = self.escapesText || digit != UInt8(ascii: "0")
        self.escape = self.escape == 5 ? 0 : self.escape + 1
        guard self.escape > 0 || self.escapesText else {
            throw Malformed("json", "the body holds \\u0000, which no text may hold")
        }
    }

    private static let hexadecimal = Alphabet("0123456789abcdefABCDEF")
}
