/// What JSON Schema (2020-12) says of one value.
package struct ValueSchema: Sendable {
    private let type: String
    private var keywords: [JSONNode.Member]
    private let words: [String]?
    private let isNullable: Bool

    private init(
        _ type: String,
        _ keywords: [JSONNode.Member],
        oneOf words: [String]? = nil,
        nullable: Bool = false
    ) {
        self.type = type
        self.keywords = keywords
        self.words = words
        self.isNullable = nullable
    }

    package static let truth = ValueSchema("boolean", [])
    package static let number = ValueSchema("integer", [])

    /// A number of things.
    package static let count = whole(atLeast: 0)

    package static let time = text(format: "date-time")

    /// A UUID in lower case.
    package static let uuid = text(
        format: "uuid",
        pattern: "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
    )

    package static func whole(atLeast least: Int) -> ValueSchema {
        ValueSchema("integer", [.init("minimum", .integer(least))])
    }

    package static func whole(_ range: ClosedRange<Int>) -> ValueSchema {
        let limits: [JSONNode.Member] = [
            .init("minimum", .integer(range.lowerBound)), .init("maximum", .integer(range.upperBound)),
        ]
        return ValueSchema("integer", limits)
    }

    /// Text of so many characters that a regular expression (ECMA-262) matches, of a format that JSON Schema names.
    package static func text(
        atLeast shortest: Int? = nil,
        atMost longest: Int? = nil,
        format: String? = nil,
        pattern: String? = nil,
    ) -> ValueSchema {
        let keywords: [JSONNode.Member?] = [
            shortest.map { .init("minLength", .integer($0)) },
            longest.map { .init("maxLength", .integer($0)) },
            format.map { .init("format", .text($0)) }, pattern.map { .init("pattern", .text($0)) },
        ]
        return ValueSchema("string", keywords.compactMap(\.self))
    }

    package static func oneOf(_ words: [String]) -> ValueSchema { ValueSchema("string", [], oneOf: words) }

    /// An array whose items are such values.
    package static func list(of item: ValueSchema, unique: Bool = false) -> ValueSchema {
        let uniqueness: [JSONNode.Member] = unique ? [.init("uniqueItems", .truth(true))] : []
        return ValueSchema("array", uniqueness + [.init("items", item.node())])
    }

    /// An object with such members.
    static func object(_ properties: ObjectSchema) -> ValueSchema {
        ValueSchema("object", properties.keywords)
    }

    /// The same with other keywords after its own.
    package func and(_ keyword: String, _ value: JSONNode) -> ValueSchema {
        var schema = self
        schema.keywords.append(.init(keyword, value))
        return schema
    }

    /// The same, or null.
    package var orNull: ValueSchema {
        ValueSchema(self.type, self.keywords, oneOf: self.words, nullable: true)
    }

    func node(_ description: String? = nil, default value: JSONNode? = nil) -> JSONNode {
        var members: [JSONNode.Member] = description.map { [.init("description", .text($0))] } ?? []
        members.append(
            .init("type", self.isNullable ? .array([.text(self.type), .text("null")]) : .text(self.type))
        )
        members += self.keywords
        if let words = self.words {
            members.append(.init("enum", .array(words.map { .text($0) } + (self.isNullable ? [.null] : []))))
        }
        if let value { members.append(.init("default", value)) }
        return .object(members)
    }
}

/// What JSON Schema says of the members of an object.
struct ObjectSchema: Sendable {
    struct Property: Sendable {
        let name: String
        let isRequired: Bool
        let schema: JSONNode
    }

    let properties: [Property]

    var keywords: [JSONNode.Member] {
        let required = self.properties.filter(\.isRequired).map { JSONNode.text($0.name) }
        return (required.isEmpty ? [] : [.init("required", .array(required))])
            + [.init("properties", .object(self.properties.map { .init($0.name, $0.schema) }))]
    }
}
