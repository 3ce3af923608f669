/// The `subject` of an event: segments joined by `/`, such as `disk/alice@example.org/home`.
///
/// Inside a segment `/` and `%` are percent-encoded, nothing else is.
package struct EventSubject: Sendable, Equatable, CustomStringConvertible {
    package let description: String

    package init(_ segments: String...) {
        var description = ""
        for (index, segment) in segments.enumerated() {
            if index > 0 { description += "/" }
            description += Self.escaped(segment)
        }
        self.description = description
    }

    private static func escaped(_ segment: String) -> String {
        guard segment.utf8.contains(where: { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "%") }) else {
            return segment
        }
        // By scalars: with a combining mark after it a slash is another character.
        return segment.unicodeScalars.reduce(into: "") { escaped, scalar in
            switch scalar {
            case "/": escaped += "%2F"
            case "%": escaped += "%25"
            default: escaped.unicodeScalars.append(scalar)
            }
        }
    }
}
