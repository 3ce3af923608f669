/// The text of one statement with its bound parameters: values travel beside the text and never inside it.
///
/// `"SELECT * FROM disks WHERE user_id = \(user)"` has the text `… = $1` and one parameter.
package struct SQL: Sendable {
    /// The text with `$1`, `$2`, … where parameters go.
    package private(set) var text: String
    /// The bound parameters; the first is `$1`.
    package private(set) var parameters: [PostgresValue]
    /// Where in `text`, in UTF-8 bytes, each placeholder starts.
    private var placeholders: [Int]

    /// A statement without parameters.
    package init(_ text: StaticString) {
        self.init(unparsed: text.description)
    }

    init(unparsed text: String) {
        self.text = text
        self.parameters = []
        self.placeholders = []
    }

    /// Both texts, one after the other, with the placeholders of the second numbered on.
    package static func + (first: SQL, second: SQL) -> SQL {
        var sum = first
        sum.append(second)
        return sum
    }

    /// Adds `other` to the end.
    package static func += (sum: inout SQL, other: SQL) {
        sum.append(other)
    }

    private mutating func append(_ other: SQL) {
        var rest = other.text.utf8[...]
        for (index, placeholder) in other.placeholders.enumerated() {
            let start = other.text.utf8.index(other.text.startIndex, offsetBy: placeholder)
            self.text += String(Substring(rest[..<start]))
            self.bind(other.parameters[index])
            rest = rest[start...].dropFirst().drop { UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }
        }
        self.text += String(Substring(rest))
    }

    private mutating func bind(_ value: PostgresValue) {
        self.placeholders.append(self.text.utf8.count)
        self.parameters.append(value)
        self.text += "$"
        self.text += String(self.parameters.count)
    }
}

extension SQL: ExpressibleByStringInterpolation {
    package init(stringLiteral text: String) {
        self.init(unparsed: text)
    }

    package init(stringInterpolation interpolation: Interpolation) {
        self = interpolation.sql
    }

    /// Puts a statement together from literals and values.
    package struct Interpolation: StringInterpolationProtocol {
        fileprivate var sql = SQL(unparsed: "")

        package init(literalCapacity: Int, interpolationCount: Int) {
            self.sql.text.reserveCapacity(literalCapacity + 3 * interpolationCount)
            self.sql.parameters.reserveCapacity(interpolationCount)
            self.sql.placeholders.reserveCapacity(interpolationCount)
        }

        package mutating func appendLiteral(_ literal: String) {
            self.sql.text += literal
        }

        /// Binds a value.
        package mutating func appendInterpolation(_ value: some PostgresBindable) {
            self.sql.bind(value.postgresValue)
        }

        /// Binds a value, or null.
        package mutating func appendInterpolation(_ value: (some PostgresBindable)?) {
            self.sql.bind(value.postgresValue)
        }

        /// Binds a value.
        package mutating func appendInterpolation(_ value: PostgresValue) {
            self.sql.bind(value)
        }

        /// Splices another statement in, with its parameters.
        package mutating func appendInterpolation(_ part: SQL) {
            self.sql.append(part)
        }

        /// Splices a fragment of the program's own text in.
        package mutating func appendInterpolation(constant: StaticString) {
            self.sql.text += constant.description
        }

        /// Splices the name of a table, column, channel, … in, quoted.
        package mutating func appendInterpolation(identifier: String) {
            self.sql.text += identifier.quoted { $0 == "\"" ? "\"" : nil }
        }
    }
}
