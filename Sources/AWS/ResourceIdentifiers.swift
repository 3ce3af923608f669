/// A name that AWS gave to a thing; each kind of thing has its own type.
package protocol ResourceIdentifier:
    RawRepresentable, Hashable, Sendable, Codable, CustomStringConvertible, ExpressibleByStringLiteral
where RawValue == String, StringLiteralType == String {
    /// Takes any text; AWS judges it.
    init(rawValue: String)
}

extension ResourceIdentifier {
    /// The identifier as AWS writes it.
    package var description: String { self.rawValue }

    /// An identifier written in source.
    package init(stringLiteral value: String) { self.init(rawValue: value) }
}

/// Tags of a resource: value by key.
package typealias Tags = [String: String]

/// An EC2 instance, `i-…`.
package struct InstanceID: ResourceIdentifier {
    package let rawValue: String

    package init(rawValue: String) { self.rawValue = rawValue }
}

/// An EBS snapshot, `snap-…`.
package struct SnapshotID: ResourceIdentifier {
    package let rawValue: String

    package init(rawValue: String) { self.rawValue = rawValue }
}

/// An EBS volume, `vol-…`.
package struct VolumeID: ResourceIdentifier {
    package let rawValue: String

    package init(rawValue: String) { self.rawValue = rawValue }
}

/// The Amazon Resource Name of a listener, a rule or a target group.
package struct ResourceARN: ResourceIdentifier {
    package let rawValue: String

    package init(rawValue: String) { self.rawValue = rawValue }
}

/// A DNS zone of Route 53, `Z…`, without the prefix `/hostedzone/`.
package struct HostedZoneID: ResourceIdentifier {
    package let rawValue: String

    package init(rawValue: String) { self.rawValue = rawValue }
}
