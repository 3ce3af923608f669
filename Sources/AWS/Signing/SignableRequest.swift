import HTTP

/// What a signature is made over.
struct SignableRequest: Sendable {
    let method: String
    /// As it is sent, percent-encoded once.
    let path: String
    /// Names and values before encoding.
    var query: [(String, String)]
    /// With `host`.
    var headers: [(String, String)]
    let bodyDigest: String

    /// The query as it is sent and signed: encoded, sorted by name, then value.
    var canonicalQuery: String {
        self.query.map { ($0.0.percentEncoded(), $0.1.percentEncoded()) }
            .sorted { $0.0 == $1.0 ? $0.1 < $1.1 : $0.0 < $1.0 }
            .map { "\($0.0)=\($0.1)" }.joined(separator: "&")
    }

    /// Lower-case names, values without needless white space, sorted; values of one name joined by commas.
    var canonicalHeaders: [(name: String, value: String)] {
        var values: [String: [String]] = [:]
        for (name, value) in self.headers {
            values[name.lowercased(), default: []].append(value.split(separator: " ").joined(separator: " "))
        }
        return values.map { (name: $0.key, value: $0.value.joined(separator: ",")) }.sorted {
            $0.name < $1.name
        }
    }

    var signedHeaderNames: String { self.canonicalHeaders.map(\.name).joined(separator: ";") }

    /// The text whose digest is signed; S3 alone takes the path as it is, all others encode it again.
    func canonical(encodesPathTwice: Bool) -> String {
        let path = encodesPathTwice ? self.normalizedPath.percentEncoded(keepingSlashes: true) : self.path
        let headers = self.canonicalHeaders
        return """
            \(self.method)
            \(path.isEmpty ? "/" : path)
            \(self.canonicalQuery)
            \(headers.map { "\($0.name):\($0.value)\n" }.joined())
            \(headers.map(\.name).joined(separator: ";"))
            \(self.bodyDigest)
            """
    }

    /// Without empty and dot segments. (RFC 3986, section 5.2.4.)
    private var normalizedPath: String {
        var segments: [Substring] = []
        for segment in self.path.split(separator: "/") where segment != "." {
            if segment == ".." { _ = segments.popLast() } else { segments.append(segment) }
        }
        let end = self.path.hasSuffix("/") && !segments.isEmpty ? "/" : ""
        return "/" + segments.joined(separator: "/") + end
    }
}
