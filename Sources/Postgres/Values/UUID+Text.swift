package import FoundationEssentials

extension UUID {
    /// Reads the form of RFC 9562 (36 characters, in either case); nothing else.
    package init?(text: some StringProtocol) {
        var text = String(text)
        guard let uuid = text.withUTF8({ UUID($0.span) }) else { return nil }
        self = uuid
    }

    init?(_ text: Span<UInt8>) {
        guard text.count == 36 else { return nil }
        var halves = (high: UInt64(0), low: UInt64(0))
        for index in 0..<36 {
            switch index {
            case 8, 13, 18, 23:
                guard text[index] == UInt8(ascii: "-") else { return nil }
            default:
                guard let digit = text[index].hexadecimalValue else { return nil }
                halves = (halves.high << 4 | halves.low >> 60, halves.low << 4 | UInt64(digit))
            }
        }
        self.init(uuid: unsafeBitCast((halves.high.bigEndian, halves.low.bigEndian), to: uuid_t.self))
    }

    /// Of its 16 bytes.
    package init(bytes: [UInt8]) {
        precondition(bytes.count == 16, "a UUID has 16 bytes")
        self.init(uuid: bytes.withUnsafeBytes { $0.loadUnaligned(as: uuid_t.self) })
    }

    /// The form of RFC 9562 in lower case, as PostgreSQL prints it.
    package var text: String {
        withUnsafeBytes(of: self.uuid) { bytes in
            String(unsafeUninitializedCapacity: 36) { characters in
                var end = 0
                for index in 0..<16 {
                    if index == 4 || index == 6 || index == 8 || index == 10 {
                        characters[end] = UInt8(ascii: "-")
                        end += 1
                    }
                    characters[end] = (bytes[index] >> 4).hexadecimalDigit
                    characters[end + 1] = (bytes[index] & 15).hexadecimalDigit
                    end += 2
                }
                return end
            }
        }
    }
}

extension UInt8 {
    /// The value of a hexadecimal digit in ASCII; nil if it is none.
    var hexadecimalValue: UInt8? {
        switch self {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): self - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): self - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): self - UInt8(ascii: "A") + 10
        default: nil
        }
    }

    /// The lower-case digit of a number below 16.
    var hexadecimalDigit: UInt8 { self < 10 ? UInt8(ascii: "0") + self : UInt8(ascii: "a") + self - 10 }
}
