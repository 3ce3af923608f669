/// Where a service is: a base URL taken apart.
struct Endpoint: Sendable, Hashable {
    let scheme: String
    /// Host, and the port unless it is the scheme's own; what the header `Host` says.
    let authority: String
    /// In front of every path: empty, or begins with a slash and does not end with one; percent-encoded.
    let pathPrefix: String

    init?(_ url: String) {
        let parts = url.split(separator: "/", maxSplits: 3, omittingEmptySubsequences: false)
        guard parts.count >= 3, parts[1].isEmpty, !parts[2].isEmpty, !parts[2].contains("@"),
            !url.contains(where: { $0.isWhitespace || $0 == "?" || $0 == "#" })
        else { return nil }
        switch parts[0].lowercased() {
        case "http:": self.scheme = "http"
        case "https:": self.scheme = "https"
        default: return nil
        }
        let ownPort = self.scheme == "http" ? ":80" : ":443"
        let authority = parts[2].lowercased()
        self.authority = authority.hasSuffix(ownPort) ? String(authority.dropLast(ownPort.count)) : authority
        let path = parts.count > 3 ? parts[3].split(separator: "/").joined(separator: "/") : ""
        self.pathPrefix = path.isEmpty ? "" : "/" + path
    }

    /// The host without its port, and without the brackets of an IPv6 address.
    var host: String {
        if self.authority.hasPrefix("[") { return String(self.authority.dropFirst().prefix { $0 != "]" }) }
        return String(self.authority.prefix { $0 != ":" })
    }
}
