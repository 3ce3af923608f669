/// An element of a document: name without prefix, text, elements in order.
///
/// Attributes are dropped.
package struct XMLNode: Sendable, Equatable {
    package let name: String
    package internal(set) var text: String = ""
    package internal(set) var children: [XMLNode] = []

    package func child(_ name: String) -> XMLNode? { self.children.first { $0.name == name } }

    /// The text of the first element of this name.
    package subscript(name: String) -> String? { self.child(name)?.text }
}

/// Why a document could not be read.
package struct XMLError: Error, CustomStringConvertible {
    package let description: String

    init(_ description: String) { self.description = description }
}
