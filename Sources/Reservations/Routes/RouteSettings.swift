package import AWS

/// Where routes to pods are made.
package struct RouteSettings: Sendable {
    package let listenerARN: ResourceARN
    package let vpcID: String
    package let domainName: String

    package init(listenerARN: ResourceARN, vpcID: String, domainName: String) {
        self.listenerARN = listenerARN
        self.vpcID = vpcID
        self.domainName = domainName
    }
}
