/// The text form of `bytea`: `\x` and two hexadecimal digits a byte.
enum HexText {
    /// The digits alone.
    static func encode(_ bytes: [UInt8]) -> String {
        String(
            decoding: bytes.flatMap { [($0 >> 4).hexadecimalDigit, ($0 & 15).hexadecimalDigit] },
            as: UTF8.self
        )
    }

    static func decode(_ text: Span<UInt8>) -> [UInt8]? {
        let isHex = text.count >= 2 && text.count % 2 == 0
        guard isHex, text[0] == UInt8(ascii: "\\"), text[1] == UInt8(ascii: "x") else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count / 2 - 1)
        for index in stride(from: 2, to: text.count, by: 2) {
            guard let high = text[index].hexadecimalValue, let low = text[index + 1].hexadecimalValue else {
                return nil
            }
            bytes.append(high << 4 | low)
        }
        return bytes
    }
}
