import Foundation
import Synchronization

/// A server on loopback that answers EC2's calls from a model.
///
/// One thread for each connection; they end when the connections do, and the one that accepts with the process.
final class EC2Peer: Sendable {
    let model = Mutex(AWSModel())
    let port: UInt16

    struct Unavailable: Error {}

    init() throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(listener, $0, size) == 0 }
        }
        guard listener >= 0, isBound, listen(listener, 16) == 0 else { throw Unavailable() }
        var length = size
        _ = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(listener, $0, &length) }
        }
        self.port = UInt16(bigEndian: address.sin_port)
        Thread.detachNewThread { [self] in
            while true {
                let connection = accept(listener, nil, nil)
                guard connection >= 0 else { break }
                var yes: Int32 = 1
                setsockopt(
                    connection,
                    Int32(IPPROTO_TCP),
                    TCP_NODELAY,
                    &yes,
                    socklen_t(MemoryLayout<Int32>.size)
                )
                Thread.detachNewThread { [self] in self.serve(connection) }
            }
        }
    }

    private func serve(_ connection: Int32) {
        defer { close(connection) }
        var buffer: [UInt8] = []
        while let request = Self.read(connection, &buffer) {
            let (status, body) = self.model.withLock { $0.answer(Form(request)) }
            let head =
                "HTTP/1.1 \(status) \(status == 200 ? "OK" : "Refused")\r\nContent-Type: text/xml;charset=UTF-8\r\n"
                + "Content-Length: \(body.utf8.count)\r\n\r\n"
            let answer = Array((head + body).utf8)
            guard send(connection, answer, answer.count, Int32(MSG_NOSIGNAL)) == answer.count else { return }
        }
    }

    /// The body of the next request; nil when there is none any more.
    private static func read(_ connection: Int32, _ buffer: inout [UInt8]) -> String? {
        var chunk = [UInt8](repeating: 0, count: 16 << 10)
        while true {
            if let request = Self.take(&buffer) { return request }
            let count = recv(connection, &chunk, chunk.count, 0)
            guard count > 0 else { return nil }
            buffer += chunk[..<count]
        }
    }

    /// Where the empty line after the head is.
    private static func endOfHead(_ buffer: [UInt8]) -> Range<Int>? {
        let (cr, lf) = (UInt8(ascii: "\r"), UInt8(ascii: "\n"))
        var position = 3
        while position < buffer.count {
            if buffer[position] == lf, buffer[position - 1] == cr, buffer[position - 2] == lf,
                buffer[position - 3] == cr
            {
                return position - 3..<position + 1
            }
            position += 1
        }
        return nil
    }

    private static func take(_ buffer: inout [UInt8]) -> String? {
        guard let end = Self.endOfHead(buffer) else { return nil }
        let head = String(decoding: buffer[..<end.lowerBound], as: UTF8.self).lowercased()
        let line = head.split(separator: "\r\n").first { $0.hasPrefix("content-length:") }
        let length = line.flatMap { Int($0.dropFirst(15).trimmingCharacters(in: .whitespaces)) } ?? 0
        guard buffer.count >= end.upperBound + length else { return nil }
        let body = String(decoding: buffer[end.upperBound..<end.upperBound + length], as: UTF8.self)
        buffer.removeFirst(end.upperBound + length)
        return body
    }
}
