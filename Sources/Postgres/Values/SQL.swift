/// The text of one statement with its bound parameters: values travel beside the text and never inside it.
///
/// `"SELECT * FROM disks WHERE user_id = \(user)"` has the text `… = $1` and one parameter. The text is put together only
/// where the server has not seen it: literals are passed along as they stand in the program.
package struct SQL: Sendable {
    private(set) var outline: StatementOutline
    /// The bound parameters; the first is `$1`.
    package private(set) var parameters: [PostgresValue]

    /// A statement without parameters.
    package init(_ text: StaticString) {
        self.init(unparsed: text.description)
    }

    init(unparsed text: String) {
        self.outline = StatementOutline(text)
        self.parameters = []
    }

    /// About how many bytes its parameters are.
    package var size: Int { self.parameters.reduce(0) { $0 + $1.size } }

    /// The text with `$1`, `$2`, … where parameters go.
    package var text: String { self.outline.text }

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
        self.outline.append(other.outline)
        self.parameters += other.parameters
    }

    private mutating func bind(_ value: PostgresValue) {
        self.outline.appendParameter()
        self.parameters.append(value)
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
        fileprivate var sql: SQL

        package init(literalCapacity: Int, interpolationCount: Int) {
            self.sql = SQL(capacity: interpolationCount)
        }

        package mutating func appendLiteral(_ literal: String) {
            self.sql.outline.append(literal)
        }

        /// Binds a value.
        package mutating func appendInterpolation(_ value: some PostgresBindable) {
            self.sql.bind(value.postgresValue)
        }

        /// Binds a value, or null.
        package mutating func appendInterpolation(_ value: (some PostgresBindable)?) {
            self.sql.bind(value.map(\.postgresValue) ?? .null)
        }

        /// Binds a value.
        package mutating func appendInterpolation(_ value: PostgresValue) {
            self.sql.bind(value)
        }

        /// Binds a text.
        package mutating func appendInterpolation(_ value: String) {
            self.sql.bind(.text(value))
        }

        /// Binds a text, or null.
        package mutating func appendInterpolation(_ value: String?) {
            self.sql.bind(value.map { .text($0) } ?? .null)
        }

        /// Binds a whole number, or null.
        package mutating func appendInterpolation(_ value: Int?) {
            self.sql.bind(value?.postgresValue ?? .null)
        }

        /// Splices another statement in, with its parameters.
        package mutating func appendInterpolation(_ part: SQL) {
            self.sql.append(part)
        }

        /// Splices a fragment of the program's own text in.
        package mutating func appendInterpolation(constant: StaticString) {
            self.sql.outline.append(constant.description)
        }

        /// Splices the name of a table, column, channel, … in, quoted.
        package mutating func appendInterpolation(identifier: String) {
            self.sql.outline.append(identifier.quoted { $0 == "\"" ? "\"" : nil })
        }
    }

    private init(capacity: Int) {
        self.outline = StatementOutline(capacity: 2 * capacity + 1)
        self.parameters = []
        self.parameters.reserveCapacity(capacity)
    }
}
