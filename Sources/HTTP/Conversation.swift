/// What two sides say to each other over a connection of their own: decisions only, no calls.
///
/// It may begin as HTTP and go on as something else, as a WebSocket does.
package protocol Conversation: Sendable {
    /// What to send first.
    mutating func begin() -> [UInt8]

    /// Takes what has arrived, in pieces of any size.
    mutating func receive(_ bytes: [UInt8]) -> ConversationStep

    /// Called every five seconds.
    mutating func tick() -> ConversationStep
}

/// What follows.
package enum ConversationStep: Sendable, Equatable {
    /// Send this, which may be nothing, and wait for more.
    case goOn(sending: [UInt8])
    /// Send this and close the connection.
    case end(sending: [UInt8])
}

extension ConversationStep {
    var bytes: [UInt8] {
        switch self {
        case .goOn(let bytes), .end(let bytes): bytes
        }
    }

    var isEnd: Bool {
        switch self {
        case .goOn: false
        case .end: true
        }
    }
}
