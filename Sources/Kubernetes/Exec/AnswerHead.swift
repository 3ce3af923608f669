import HTTP

/// The head of an answer in HTTP/1.1. (RFC 9112.)
struct AnswerHead: Sendable {
    let status: Int
    let headers: HTTPHeaders
    /// Its length in bytes, the empty line included.
    let count: Int

    /// Nil as long as it is not complete.
    init?(_ bytes: [UInt8]) throws(WebSocketReader.Violation) {
        guard let end = bytes.firstRange(of: Array("\r\n\r\n".utf8))?.upperBound else { return nil }
        let lines = bytes[..<end].split(separator: UInt8(ascii: "\n")).map {
            String(decoding: $0, as: UTF8.self).filter { $0 != "\r" && $0 != "\r\n" }
        }
        let words = (lines.first ?? "").split(separator: " ")
        guard words.count >= 2, words[0].hasPrefix("HTTP/1."), let status = Int(words[1]),
            (100..<600).contains(status)
        else { throw WebSocketReader.Violation(description: "the answer is no HTTP") }
        var headers = HTTPHeaders()
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { continue }
            headers.append(String(line[..<colon]), line[line.index(after: colon)...].trimmingFieldSpace)
        }
        (self.status, self.headers, self.count) = (status, headers, end)
    }

    /// The body of a refusal; nil as long as it is not complete.
    ///
    /// What is longer than 64 KiB, or whose end is not given, is cut there: it is no more than a reason.
    func body(in bytes: [UInt8]) -> [UInt8]? {
        let limit = 64 << 10
        if self.headers["Transfer-Encoding"]?.lowercased() == "chunked" {
            return ChunkedBody(bytes).content ?? (bytes.count > limit ? [] : nil)
        }
        let length = min(self.headers["Content-Length"].flatMap { Int($0) } ?? 0, limit)
        return bytes.count >= length ? Array(bytes[..<max(0, length)]) : nil
    }
}

/// A body in chunks. (RFC 9112, section 7.1.)
struct ChunkedBody: Sendable {
    /// Nil as long as it is not complete.
    private(set) var content: [UInt8]?

    init(_ bytes: [UInt8]) {
        var (rest, content) = (bytes[...], [UInt8]())
        while let end = rest.firstRange(of: Array("\r\n".utf8)) {
            let size = String(
                decoding: rest[..<end.lowerBound].prefix { $0 != UInt8(ascii: ";") },
                as: UTF8.self
            )
            guard let count = Int(size.filter { $0 != " " }, radix: 16), count >= 0 else { return }
            guard count > 0 else {
                self.content = content
                return
            }
            guard rest.endIndex - end.upperBound >= count, rest.endIndex - end.upperBound - count >= 2 else {
                return
            }
            content += rest[end.upperBound..<(end.upperBound + count)]
            rest = rest[(end.upperBound + count + 2)...]
        }
    }
}
