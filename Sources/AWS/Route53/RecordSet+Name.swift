extension RecordSet {
    /// A name as this program writes it: lower-case, without a final dot, with `\052` and the like as characters.
    ///
    /// Route 53 writes every byte but `a-z`, `0-9`, `-`, `_` and `.` as a backslash and three octal digits.
    /// (Amazon Route 53 Developer Guide, DNS domain name format.)
    package static func normalized(_ name: String) -> String {
        var bytes: [UInt8] = []
        var rest = Array(name.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "\\"), let escaped = octalByte(rest.prefix(3)) {
                bytes.append(escaped)
                rest = rest.dropFirst(3)
            } else {
                bytes.append(byte)
            }
        }
        if bytes.last == UInt8(ascii: ".") { bytes.removeLast() }
        return String(decoding: bytes, as: UTF8.self).lowercased()
    }
}

private func octalByte(_ digits: ArraySlice<UInt8>) -> UInt8? {
    guard digits.count == 3, digits.allSatisfy({ 0x30...0x37 ~= $0 }) else { return nil }
    return UInt8(String(decoding: digits, as: UTF8.self), radix: 8)
}
