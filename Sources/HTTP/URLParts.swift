/// The parts of a URL as it is written.
package struct URLParts {
    let scheme: String
    /// Host and port, without a user.
    let authority: String
    /// The name or the address, one of IPv6 in brackets.
    package let host: String
    package let port: Int
    /// Path and query.
    let rest: String

    /// Nil if it is none of `http` or `https`.
    package init?(_ url: String) {
        guard let colon = url.firstIndex(of: ":"), url[colon...].hasPrefix("://") else { return nil }
        self.scheme = url[..<colon].lowercased()
        guard self.scheme == "http" || self.scheme == "https" else { return nil }
        let afterScheme = url[colon...].dropFirst(3)
        let place = afterScheme.prefix { !"/?#".contains($0) }
        self.rest = String(afterScheme[place.endIndex...])
        let authority = place.split(separator: "@", omittingEmptySubsequences: false).last ?? ""
        self.authority = String(authority)
        let tail = authority.hasPrefix("[") ? authority.drop { $0 != "]" } : authority[...]
        guard let portColon = tail.lastIndex(of: ":") else {
            self.host = String(authority)
            self.port = self.scheme == "https" ? 443 : 80
            return
        }
        guard let port = Int(authority[authority.index(after: portColon)...]) else { return nil }
        self.host = String(authority[..<portColon])
        self.port = port
    }
}
