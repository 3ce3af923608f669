package import FoundationEssentials

/// What one statement answered.
package struct PostgresResult: Sendable {
    package let rows: [PostgresRow]

    /// How many rows were inserted, updated, deleted or selected.
    package let affectedRows: Int
}

/// One row of a result.
package struct PostgresRow: Sendable {
    let columns: [String]
    let values: [String?]

    /// The value of a column that is never null.
    package func read<Value: PostgresReadable>(
        _ column: String,
        as type: Value.Type = Value.self,
    ) throws(PostgresError) -> Value {
        guard let value = try self.readIfPresent(column, as: type) else {
            throw PostgresError(.invalidValue, during: "read \(column)", "the column is null")
        }
        return value
    }

    /// The value of a column; nothing where it is null.
    package func readIfPresent<Value: PostgresReadable>(
        _ column: String,
        as type: Value.Type = Value.self,
    ) throws(PostgresError) -> Value? {
        guard let index = self.columns.firstIndex(of: column) else {
            throw PostgresError(.invalidValue, during: "read \(column)", "the result has no such column")
        }
        guard let text = self.values[index] else { return nil }
        guard let value = Value(postgresText: text) else {
            throw PostgresError(.invalidValue, during: "read \(column)", "the column does not hold a \(type)")
        }
        return value
    }
}

/// A type that can be read from PostgreSQL's text form.
package protocol PostgresReadable: Sendable {
    init?(postgresText text: String)
}

extension String: PostgresReadable {
    package init?(postgresText text: String) { self = text }
}

extension Int: PostgresReadable {
    package init?(postgresText text: String) { self.init(text) }
}

extension Int64: PostgresReadable {
    package init?(postgresText text: String) { self.init(text) }
}

extension Double: PostgresReadable {
    package init?(postgresText text: String) { self.init(text) }
}

extension Bool: PostgresReadable {
    package init?(postgresText text: String) {
        switch text {
        case "t": self = true
        case "f": self = false
        default: return nil
        }
    }
}

extension UUID: PostgresReadable {
    package init?(postgresText text: String) { self.init(uuidString: text) }
}

extension [UInt8]: PostgresReadable {
    /// Reads `bytea` in its hexadecimal form.
    package init?(postgresText text: String) {
        let digits = Array(text.utf8)
        guard digits.starts(with: [UInt8(ascii: "\\"), UInt8(ascii: "x")]), digits.count.isMultiple(of: 2)
        else {
            return nil
        }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(digits.count / 2 - 1)
        for index in stride(from: 2, to: digits.count, by: 2) {
            guard let high = hexadecimalDigit(digits[index]), let low = hexadecimalDigit(digits[index + 1])
            else {
                return nil
            }
            bytes.append(high << 4 | low)
        }
        self = bytes
    }
}

private func hexadecimalDigit(_ character: UInt8) -> UInt8? {
    switch character {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): character - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): character - UInt8(ascii: "a") + 10
    default: nil
    }
}
