/// The messages that wait for room in the socket, oldest first.
struct PublishQueue {
    private var waiting: [PendingPublish] = []
    private var head = 0

    var isEmpty: Bool { self.head == self.waiting.count }

    /// Whether the oldest message has gone out in part, so that nothing else may come between.
    var isInsideMessage: Bool {
        guard !self.isEmpty else { return false }
        if case .method = self.waiting[self.head].stage { return false }
        return true
    }

    mutating func append(_ publish: PendingPublish) { self.waiting.append(publish) }

    /// Works on the oldest message; takes it off when `body` says that it is done.
    mutating func withFirst(_ body: (inout PendingPublish) -> Bool) {
        guard !self.isEmpty, body(&self.waiting[self.head]) else { return }
        self.head += 1
        guard self.head == self.waiting.count || self.head > 1024 && self.head * 2 > self.waiting.count else {
            return
        }
        self.waiting.removeFirst(self.head)
        self.head = 0
    }
}
