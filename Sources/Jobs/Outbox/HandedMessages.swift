import RabbitMQ

/// The messages that wait in memory for the relay, oldest first; what does not fit is found when its row is due.
struct HandedMessages: Sendable {
    private var waiting: [OutboxDispatch] = []
    private var bytes = 0

    private static let most = 4096
    private static let mostBytes = 4 << 20

    mutating func add(_ dispatches: [OutboxDispatch]) {
        for dispatch in dispatches {
            guard self.waiting.count < Self.most, self.bytes + dispatch.size <= Self.mostBytes else {
                continue
            }
            self.waiting.append(dispatch)
            self.bytes += dispatch.size
        }
    }

    mutating func take(_ count: Int) -> [OutboxDispatch] {
        guard self.waiting.count > count else {
            defer { (self.waiting, self.bytes) = ([], 0) }
            return self.waiting
        }
        let taken = Array(self.waiting.prefix(count))
        self.waiting.removeFirst(taken.count)
        for dispatch in taken { self.bytes -= dispatch.size }
        return taken
    }
}
