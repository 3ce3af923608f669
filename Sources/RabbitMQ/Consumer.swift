/// Where the deliveries of one consumer tag go.
struct Consumer {
    let tag: String
    let tagBytes: [UInt8]
    let queue: String
    let onDelivery: (Delivery) -> Void

    init(tag: String, queue: String, onDelivery: @escaping (Delivery) -> Void) {
        self.tag = tag
        self.tagBytes = Array(tag.utf8)
        self.queue = queue
        self.onDelivery = onDelivery
    }
}
