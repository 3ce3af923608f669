/// A statement and the values that go with it: `"SELECT * FROM disks WHERE user_id = \(user)"` binds `user`.
///
/// Interpolated values never become part of the text. Only literals of the program do.
package struct SQL: Sendable, ExpressibleByStringInterpolation {
    package private(set) var text: String
    package private(set) var values: [PostgresValue]

    /// Text that this module put together from its own words and numbers.
    init(trusted text: String) { (self.text, self.values) = (text, []) }

    package init(stringLiteral text: String) { (self.text, self.values) = (text, []) }

    package init(stringInterpolation interpolation: Interpolation) {
        (self.text, self.values) = (interpolation.text, interpolation.values)
    }

    /// Collects text and numbered parameters.
    package struct Interpolation: StringInterpolationProtocol {
        fileprivate var text = ""
        fileprivate var values: [PostgresValue] = []

        package init(literalCapacity: Int, interpolationCount: Int) {
            self.text.reserveCapacity(literalCapacity + 3 * interpolationCount)
            self.values.reserveCapacity(interpolationCount)
        }

        package mutating func appendLiteral(_ literal: String) { self.text += literal }

        package mutating func appendInterpolation(_ value: some PostgresBindable) {
            self.values.append(value.postgresValue)
            self.text += "$\(self.values.count)"
        }

        /// Splices a fragment that the program itself contains, such as a list of columns.
        package mutating func appendInterpolation(constant fragment: StaticString) {
            self.text += "\(fragment)"
        }
    }
}
