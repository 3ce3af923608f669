import Crypto

extension String {
    /// The SHA-256 digest of the UTF-8 bytes in lower-case hexadecimal digits.
    var sha256Hex: String { Array(self.utf8).sha256Hex }
}

extension [UInt8] {
    /// The SHA-256 digest in lower-case hexadecimal digits.
    var sha256Hex: String { Array(SHA256.hash(data: self)).hexadecimal }

    /// Two lower-case digits a byte.
    var hexadecimal: String {
        let digits = Array<UInt8>("0123456789abcdef".utf8)
        return String(decoding: self.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }
}
