/// An AMQP field table as it came: in order, with names that occur more than once.
package struct FieldTable: Sendable, Hashable {
    /// One field.
    package struct Entry: Sendable, Hashable {
        /// At most 255 bytes of UTF-8.
        package var name: String
        /// What the field holds.
        package var value: FieldValue

        /// A field of that name.
        package init(name: String, value: FieldValue) {
            self.name = name
            self.value = value
        }
    }

    /// The fields in order.
    package var entries: [Entry]

    /// A table of these fields, in this order.
    package init(_ entries: [Entry] = []) { self.entries = entries }

    /// Whether there is no field.
    package var isEmpty: Bool { self.entries.isEmpty }

    /// The first value of that name; setting it replaces every field of the name, and nil removes them.
    package subscript(name: String) -> FieldValue? {
        get { self.entries.first { $0.name == name }?.value }
        set {
            let place = self.entries.firstIndex { $0.name == name }
            self.entries.removeAll { $0.name == name }
            guard let newValue else { return }
            self.entries.insert(Entry(name: name, value: newValue), at: place ?? self.entries.endIndex)
        }
    }
}

extension FieldTable: ExpressibleByDictionaryLiteral {
    /// A table of the literal's fields, in their order and with those that recur.
    package init(dictionaryLiteral elements: (String, FieldValue)...) {
        self.entries = elements.map { Entry(name: $0.0, value: $0.1) }
    }
}
