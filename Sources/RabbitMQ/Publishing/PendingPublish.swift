/// A message on its way to the socket.
struct PendingPublish {
    /// The part that goes out next.
    enum Stage {
        case method, header, body(offset: Int)
    }

    var outgoing: OutgoingMessage
    let batch: PublishBatch
    let batchID: UInt64
    /// Its place in the batch.
    let index: Int
    var stage = Stage.method
    /// The header that names the message to us when the broker returns it.
    var extraHeader: FieldTable.Entry?
}

/// A message that was sent and awaits its confirm.
struct UnconfirmedPublish {
    let batch: PublishBatch
    let batchID: UInt64
    let index: Int
    let outboxID: Int64?
    var returned: PublishOutcome?
}
