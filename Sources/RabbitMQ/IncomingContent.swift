/// A message that is arriving in pieces: a method, a header, then as much body as the header says.
struct IncomingContent {
    /// Why the broker sends it.
    enum Purpose {
        case delivery(
            number: UInt64,
            redelivered: Bool,
            exchange: String,
            routingKey: String,
            consumer: Consumer?
        )
        case got(number: UInt64, redelivered: Bool, exchange: String, routingKey: String)
        case returned(PublishOutcome)
    }

    let purpose: Purpose
    var properties: MessageProperties?
    var bodySize = 0
    var body: [UInt8] = []

    init(_ purpose: Purpose) { self.purpose = purpose }

    /// Whether the whole message is here.
    var isComplete: Bool { self.properties != nil && self.body.count >= self.bodySize }

    mutating func append(_ piece: UnsafeRawBufferPointer) {
        if self.body.isEmpty, piece.count == self.bodySize {
            self.body = Array(piece)
            return
        }
        if self.body.isEmpty { self.body.reserveCapacity(min(self.bodySize, 16 << 20)) }
        self.body.append(contentsOf: piece)
    }
}
