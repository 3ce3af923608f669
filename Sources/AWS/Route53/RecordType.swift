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
