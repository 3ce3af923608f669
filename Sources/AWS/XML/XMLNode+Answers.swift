import FoundationEssentials
import XML

extension XMLNode {
    /// Reads an answer's document.
    init(answer bytes: [UInt8]) throws(MalformedAnswer) {
        do throws(XMLError) {
            try self.init(document: bytes)
        } catch {
            throw MalformedAnswer(error.description)
        }
    }

    /// The text of an element that must be there.
    func text(_ name: String) throws(MalformedAnswer) -> String {
        guard let text = self[name] else { throw MalformedAnswer("\(self.name) has no \(name)") }
        return text
    }

    /// The elements of a list `name`, whatever they are called (`item`, `member`); none if the list is absent.
    func list(_ name: String) -> [XMLNode] { self.child(name)?.children ?? [] }

    /// A whole number that must be there; white space around it is allowed.
    func integer(_ name: String) throws(MalformedAnswer) -> Int {
        let text = try self.text(name)
        guard let value = Int(text.trimmingXMLSpace) else {
            throw MalformedAnswer("\(name) is no number: \(text.prefix(40))")
        }
        return value
    }

    /// A whole number, or nil if the element is absent or empty.
    func integerIfPresent(_ name: String) throws(MalformedAnswer) -> Int? {
        guard let text = self[name], !text.trimmingXMLSpace.isEmpty else { return nil }
        return try self.integer(name)
    }

    /// ISO 8601 with any number of digits after the second.
    func date(_ name: String) throws(MalformedAnswer) -> Date {
        let text = try self.text(name).trimmingXMLSpace
        guard let date = Date(iso8601: text) else {
            throw MalformedAnswer("\(name) is no time: \(text.prefix(40))")
        }
        return date
    }

    /// Tags as lists of key and value, in either letter case.
    func tags(_ name: String) throws(MalformedAnswer) -> Tags {
        var tags: Tags = [:]
        for item in self.list(name) {
            guard let key = item["key"] ?? item["Key"] else { throw MalformedAnswer("a tag has no key") }
            tags[key] = item["value"] ?? item["Value"] ?? ""
        }
        return tags
    }
}

extension String {
    /// Without XML's white space at both ends.
    var trimmingXMLSpace: String {
        let isSpace: (Character) -> Bool = {
            $0 == " " || $0 == "\n" || $0 == "\t" || $0 == "\r" || $0 == "\r\n"
        }
        let start = self.drop(while: isSpace)
        guard let last = start.lastIndex(where: { !isSpace($0) }) else { return "" }
        return String(start[...last])
    }
}

/// Why an answer could not be read as what was expected.
struct MalformedAnswer: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}
