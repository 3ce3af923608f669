extension String {
    /// The text as it may be stored, logged and shown, at most so many bytes of UTF-8 long.
    ///
    /// Whoever wrote it could otherwise drive the terminal of whoever reads it, or end a line of a log and write the next
    /// one; and PostgreSQL stores no NUL. Tabs and line breaks become blanks, all other controls U+FFFD.
    package func cleaned(utf8Bytes limit: Int = .max) -> String {
        let text = self.prefix(utf8Bytes: limit)
        guard !text.utf8.allSatisfy({ 0x20..<0x7F ~= $0 }), text.unicodeScalars.contains(where: \.isControl)
        else { return text }
        var clean = UnicodeScalarView()
        for scalar in text.unicodeScalars { clean.append(scalar.isControl ? scalar.replacement : scalar) }
        return String(clean).prefix(utf8Bytes: limit)
    }

    /// A text in JSON with the controls that JSON allows in text escaped: the same value, and nothing that a terminal obeys.
    package var withEscapedControls: String {
        guard self.unicodeScalars.contains(where: \.isControl) else { return self }
        var escaped = ""
        for scalar in self.unicodeScalars {
            if scalar.isControl, scalar.value >= 0x7F {
                let digits = String(scalar.value, radix: 16)
                escaped += "\\u" + String(repeating: "0", count: 4 - digits.utf8.count) + digits
            } else {
                escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }

    /// As many whole characters from the start as fit into `count` bytes of UTF-8.
    func prefix(utf8Bytes count: Int) -> String {
        guard self.utf8.count > count else { return self }
        var end = self.utf8.index(self.startIndex, offsetBy: count)
        while end > self.startIndex, end.samePosition(in: self) == nil { end = self.utf8.index(before: end) }
        return String(self[..<end])
    }
}

extension Unicode.Scalar {
    /// C0, DEL, C1, separators of lines, and what changes the direction of writing (Unicode Standard Annex 9).
    fileprivate var isControl: Bool {
        switch self.value {
        case 0..<0x20, 0x7F..<0xA0, 0x061C, 0x200E...0x200F, 0x2028...0x202E, 0x2066...0x2069: true
        default: false
        }
    }

    fileprivate var replacement: Unicode.Scalar {
        switch self.value {
        case 0x09, 0x0A, 0x0D: " "
        default: "\u{FFFD}"
        }
    }
}
