/// Where the deliveries of one consumer tag go.
struct Consumer {
    let tag: String
    let tagBytes: [UInt8]
    let queue: String
    /// The longest body that is kept, in bytes.
    let largestBody: Int
    let onDelivery: (Delivery) -> Void

    init(tag: String, queue: String, largestBody: Int, onDelivery: @escaping (Delivery) -> Void) {
        self.tag = tag
        self.tagBytes = Array(tag.utf8)
        self.queue = queue
        self.largestBody = largestBody
        self.onDelivery = onDelivery
    }
}
