/// A condition on the objects of a list; several must all hold.
package struct Selector: Sendable, Hashable {
    enum Kind: String {
        case field = "fieldSelector"
        case label = "labelSelector"
    }

    let kind: Kind
    let text: String

    /// A field such as `spec.nodeName` has this value; which fields can be asked for depends on the resource.
    package static func field(_ name: String, is value: String) -> Selector {
        Selector(kind: .field, text: "\(name)=\(value.escapedInSelector)")
    }

    /// A field has another value, or none.
    package static func field(_ name: String, isNot value: String) -> Selector {
        Selector(kind: .field, text: "\(name)!=\(value.escapedInSelector)")
    }

    /// A label has this value.
    package static func label(_ name: String, is value: String) -> Selector {
        Selector(kind: .label, text: "\(name)=\(value)")
    }

    /// There is a label, whatever its value.
    package static func hasLabel(_ name: String) -> Selector { Selector(kind: .label, text: name) }
}

extension [Selector] {
    /// The parameters of a query that hold these conditions.
    var query: [(String, String)] {
        [Selector.Kind.field, .label].compactMap { kind in
            let texts = self.filter { $0.kind == kind }.map(\.text)
            return texts.isEmpty ? nil : (kind.rawValue, texts.joined(separator: ","))
        }
    }
}

extension String {
    /// Commas and equals signs belong to the selector's own language. (apimachinery, `fields.EscapeValue`.)
    fileprivate var escapedInSelector: String {
        self.unicodeScalars.reduce(into: "") { escaped, scalar in
            if scalar == "," || scalar == "=" || scalar == "\\" { escaped.unicodeScalars.append("\\") }
            escaped.unicodeScalars.append(scalar)
        }
    }
}
