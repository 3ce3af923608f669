/// One frame of a WebSocket. (RFC 6455, section 5.2.)
struct WebSocketFrame: Sendable, Equatable {
    enum Kind: UInt8, Sendable {
        case continuation = 0
        case text = 1
        case binary = 2
        case close = 8
        case ping = 9
        case pong = 10

        /// Control frames may come between the pieces of a message.
        var isControl: Bool { self.rawValue >= 8 }
    }

    let kind: Kind
    var isFinal = true
    var payload: [UInt8]

    /// The frame as a client sends it: masked, since proxies on the way may be misled otherwise.
    func encoded(mask: [UInt8]) -> [UInt8] {
        var bytes: [UInt8] = [(self.isFinal ? 0x80 : 0) | self.kind.rawValue]
        let count = self.payload.count
        switch count {
        case ...125: bytes.append(0x80 | UInt8(count))
        case ...0xFFFF: bytes += [0x80 | 126, UInt8(count >> 8), UInt8(count & 0xFF)]
        default:
            bytes.append(0x80 | 127)
            bytes += (0..<8).map { UInt8(truncatingIfNeeded: count >> (56 - 8 * $0)) }
        }
        bytes += mask
        bytes += self.payload.enumerated().map { $1 ^ mask[$0 % 4] }
        return bytes
    }

    /// The frame with a mask that nobody can foresee.
    func encoded() -> [UInt8] { self.encoded(mask: (0..<4).map { _ in UInt8.random(in: 0...255) }) }
}
