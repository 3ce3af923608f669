/// A DNS zone of Route 53, `Z…`, without the prefix `/hostedzone/`.
package struct HostedZoneID: ResourceIdentifier {
    package let rawValue: String

    package init(rawValue: String) { self.rawValue = rawValue }
}
