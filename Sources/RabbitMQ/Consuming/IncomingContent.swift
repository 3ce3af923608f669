/// A message that is arriving in pieces: a method, a header, then as much body as the header says.
///
/// A class, for the same reason as `Message`.
final class IncomingContent {
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
    /// How long the body is, in bytes, as the header says.
    var bodySize = 0
    private var received = 0
    /// What has come of the body; none of one that is passed over.
    private(set) var body: [UInt8] = []

    init(_ purpose: Purpose) { self.purpose = purpose }

    /// Whether the whole message is here.
    var isComplete: Bool { self.properties != nil && self.received >= self.bodySize }

    /// The longest body that is kept.
    private var largestBody: Int {
        guard case .delivery(_, _, _, _, let consumer?) = self.purpose else { return .max }
        return consumer.largestBody
    }

    func append(_ piece: UnsafeRawBufferPointer) {
        self.received += piece.count
        guard self.bodySize <= self.largestBody else { return }
        if self.body.isEmpty, piece.count == self.bodySize {
            self.body = Array(piece)
            return
        }
        if self.body.isEmpty { self.body.reserveCapacity(min(self.bodySize, 16 << 20)) }
        self.body.append(contentsOf: piece)
    }
}
