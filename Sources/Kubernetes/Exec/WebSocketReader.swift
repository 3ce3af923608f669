/// Finds the messages of a server in what arrives over a WebSocket: decisions only, no calls.
///
/// It holds no more than one message, of at most the limit. (RFC 6455, sections 5.2 to 5.5.)
struct WebSocketReader: Sendable {
    /// How the server breaks the rules.
    struct Violation: Error, Equatable, CustomStringConvertible {
        let description: String
    }

    enum Arrival: Equatable, Sendable {
        case message([UInt8])
        /// Wants the same bytes back.
        case ping([UInt8])
        case pong
        /// With its code, where it has one.
        case close(Int?)
    }

    private let limit: Int
    private var unread: [UInt8] = []
    private var position = 0
    /// The pieces so far of a message in several frames.
    private var message: [UInt8]?

    /// A reader that refuses messages of more than `limit` bytes.
    init(limit: Int) {
        self.limit = limit
    }

    /// Adds what has arrived; `next` returns what it makes.
    mutating func add(_ bytes: [UInt8]) {
        if self.position > 0 {
            self.unread.removeFirst(self.position)
            self.position = 0
        }
        self.unread += bytes
    }

    /// The next thing that has arrived as a whole; nil if more bytes are needed.
    mutating func next() throws(Violation) -> Arrival? {
        while let frame = try self.nextFrame() {
            switch frame.kind {
            case .ping: return .ping(frame.payload)
            case .pong: return .pong
            case .close: return .close(try Self.code(of: frame))
            case .text, .binary:
                guard self.message == nil else {
                    throw Violation(description: "a message began inside another")
                }
                if frame.isFinal { return .message(frame.payload) }
                self.message = frame.payload
            case .continuation:
                guard let begun = self.message else { throw Violation(description: "no message goes on") }
                guard begun.count + frame.payload.count <= self.limit else { throw self.tooLarge }
                self.message = nil
                if frame.isFinal { return .message(begun + frame.payload) }
                self.message = begun + frame.payload
            }
        }
        return nil
    }

    private mutating func nextFrame() throws(Violation) -> WebSocketFrame? {
        let bytes = self.unread[self.position...]
        guard bytes.count >= 2 else { return nil }
        let (first, second) = (bytes[bytes.startIndex], bytes[bytes.startIndex + 1])
        guard first & 0x70 == 0 else { throw Violation(description: "a reserved bit is set") }
        guard let kind = WebSocketFrame.Kind(rawValue: first & 0x0F) else {
            throw Violation(description: "a frame is of unknown kind")
        }
        guard second & 0x80 == 0 else { throw Violation(description: "a server must not mask") }
        let isFinal = first & 0x80 != 0
        let size = second & 0x7F
        if kind.isControl, !isFinal || size > 125 {
            throw Violation(description: "a control frame is in pieces or too long")
        }
        let extra = size == 127 ? 8 : size == 126 ? 2 : 0
        guard bytes.count >= 2 + extra else { return nil }
        let start = bytes.startIndex + 2 + extra
        let count = extra == 0 ? UInt64(size) : bytes[(start - extra)..<start].bigEndianNumber
        guard count <= UInt64(self.limit) else { throw self.tooLarge }
        guard bytes.endIndex - start >= Int(count) else { return nil }
        self.position = start + Int(count)
        return WebSocketFrame(kind: kind, isFinal: isFinal, payload: Array(bytes[start..<self.position]))
    }

    private static func code(of frame: WebSocketFrame) throws(Violation) -> Int? {
        guard frame.payload.count != 1 else { throw Violation(description: "half a code of a close") }
        return frame.payload.isEmpty ? nil : Int(frame.payload[..<2].bigEndianNumber)
    }

    private var tooLarge: Violation { Violation(description: "a message is larger than \(self.limit) bytes") }
}

extension ArraySlice<UInt8> {
    fileprivate var bigEndianNumber: UInt64 { self.reduce(0) { $0 << 8 | UInt64($1) } }
}
