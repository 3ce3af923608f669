/// All DNS records of one name and type.
package struct RecordSet: Sendable, Hashable {
    /// Lower-case, without a final dot, with `*` and the like unescaped.
    package var name: String
    package var type: RecordType
    /// Seconds; nil for an alias.
    package var timeToLive: Int?
    /// As Route 53 writes them: the value of a TXT record carries its quotation marks.
    package var values: [String]
    /// Tells apart record sets of one name and type under a routing policy.
    package var setIdentifier: String?
    /// Whether it points to another AWS resource, which this client only reads.
    package var isAlias: Bool

    /// A plain record set.
    package init(name: String, type: RecordType, timeToLive: Int, values: [String]) {
        self.init(
            name: name,
            type: type,
            timeToLive: timeToLive,
            values: values,
            setIdentifier: nil,
            isAlias: false
        )
    }

    init(
        name: String,
        type: RecordType,
        timeToLive: Int?,
        values: [String],
        setIdentifier: String?,
        isAlias: Bool
    ) {
        self.name = name
        self.type = type
        self.timeToLive = timeToLive
        self.values = values
        self.setIdentifier = setIdentifier
        self.isAlias = isAlias
    }
}

/// The type of a DNS record, such as `CNAME`.
package struct RecordType: ResourceIdentifier {
    package let rawValue: String

    package init(rawValue: String) { self.rawValue = rawValue }
}

extension RecordType {
    package static let a = RecordType(rawValue: "A")
    package static let cname = RecordType(rawValue: "CNAME")
    package static let txt = RecordType(rawValue: "TXT")
}
