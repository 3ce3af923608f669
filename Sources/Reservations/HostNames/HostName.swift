import Jobs

/// The short host name of a reservation: one DNS label (RFC 1123).
struct HostName: Hashable, Sendable, CustomStringConvertible, PayloadValue {
    static let requirement =
        "1 to 63 of the characters a-z, 0-9 and '-', which neither begin nor end with '-'"
    static let schema = ValueSchema.text(
        atLeast: 1,
        atMost: 63,
        pattern: "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"
    )

    let description: String

    init?(wire: String) {
        guard wire.utf8.count <= 63, Self.alphabet.spells(wire),
            ASCIISet.lowercaseAndDigits.contains(wire.utf8.first),
            ASCIISet.lowercaseAndDigits.contains(wire.utf8.last)
        else { return nil }
        self.description = wire
    }

    /// A name as somebody wrote it down, which need not be one that would be given today.
    init(recorded text: String) { self.description = text }

    /// Whether it is a name that would be given today.
    var isLabel: Bool { HostName(wire: self.description) != nil }

    private static let alphabet = .lowercaseAndDigits + ASCIISet("-")

    /// Makes a label of a wish in any spelling; nil if nothing usable is left.
    ///
    /// Separators become hyphens, other characters go; a label of digits alone could pass for an address.
    init?(wish: String) {
        let kept = wish.lowercased().compactMap { character -> Character? in
            switch character {
            case "a"..."z", "0"..."9": character.isASCII ? character : nil
            case " ", ".", "-", "_": "-"
            default: nil
            }
        }
        let label = String(kept).split(separator: "-").joined(separator: "-").prefix(63)
        let name = String(label).trimmed
        guard name.contains(where: \.isLetter), let host = HostName(wire: name) else { return nil }
        self = host
    }

    /// Infrastructure answers under these names.
    static let reserved: Set<String> = [
        "www", "api", "admin", "root", "mail", "ftp", "ns", "ns1", "ns2", "ssh", "test",
    ]

    /// The name followed by `-` and `suffix`, cut to fit.
    func with(suffix: String) -> HostName? {
        let stem = String(self.description.prefix(63 - suffix.utf8.count - 1)).trimmed
        return HostName(wire: "\(stem)-\(suffix)")
    }
}

extension String {
    /// Without hyphens at its end.
    fileprivate var trimmed: String {
        var text = self
        while text.hasSuffix("-") { text.removeLast() }
        return text
    }
}
