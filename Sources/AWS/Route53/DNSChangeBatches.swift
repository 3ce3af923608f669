import Synchronization

/// Sends the changes of each zone one batch after another, as Route 53 wants it.
///
/// An order that comes alone goes out at once, in its caller's task. Those that come while a batch of the zone is under
/// way wait for its end and go together. Where Route 53 refuses what goes together, each caller's order is tried alone, so
/// that a bad one stands in nobody's way.
final class DNSChangeBatches: Sendable {
    typealias Send = @Sendable (DNSChangeOrder) async -> Result<ChangeInfo, AWSError>

    private let operation: String
    private let waiting = WaitingCalls<ChangeInfo>()
    private let queues = Mutex<[HostedZoneID: DNSChangeQueue]>([:])

    /// - Parameter operation: What errors call it.
    init(of operation: String) { self.operation = operation }

    /// Carries out all changes of the order or none; `send` is called with it, or with more than it.
    func carryOut(
        _ order: DNSChangeOrder,
        in zone: HostedZoneID,
        send: @escaping Send
    ) async throws(AWSError) -> ChangeInfo {
        guard !self.begin(in: zone) else {
            defer { self.sendNext(in: zone, send) }
            return try await send(order).get()
        }
        return try await self.waiting.outcome(of: self.operation, deadline: order.deadline) { number in
            let isIdle = self.queues.withLock { queues in
                queues[zone, default: DNSChangeQueue()].add(number, order)
                return queues[zone, default: DNSChangeQueue()].begin()
            }
            // What it waited for may have ended before it was in the queue.
            if isIdle { self.sendNext(in: zone, send) }
        } abandon: { number, error in
            let isUnsent = self.queues.withLock { $0[zone, default: DNSChangeQueue()].withdraw(number) }
            guard !isUnsent, !order.isIdempotent else { return error }
            var error = error
            error.code = .unknownOutcome
            return error
        }
    }

    /// How many orders of a zone have not been sent.
    func waitingCount(in zone: HostedZoneID) -> Int { self.queues.withLock { $0[zone]?.count ?? 0 } }

    private func begin(in zone: HostedZoneID) -> Bool {
        self.queues.withLock { $0[zone, default: DNSChangeQueue()].begin() }
    }

    private func sendNext(in zone: HostedZoneID, _ send: @escaping Send) {
        let batch = self.queues.withLock { $0[zone, default: DNSChangeQueue()].next() }
        guard !batch.isEmpty else { return }
        Task {
            await self.sendTogether(batch, send)
            self.sendNext(in: zone, send)
        }
    }

    private func sendTogether(_ batch: [DNSChangeQueue.Entry], _ send: Send) async {
        let outcome = await send(.merged(batch.map(\.order)))
        if batch.count > 1, case .failure(let error) = outcome, error.mayConcernOneAlone {
            return await self.sendOneByOne(batch, send)
        }
        for entry in batch { self.waiting.finish(entry.number, with: outcome) }
    }

    private func sendOneByOne(_ batch: [DNSChangeQueue.Entry], _ send: Send) async {
        for entry in batch where self.waiting.isAwaited(entry.number) {
            self.waiting.finish(entry.number, with: await send(entry.order))
        }
    }
}

extension AWSError {
    /// Whether it says that nothing was done, and others of the batch may fare better.
    fileprivate var mayConcernOneAlone: Bool { self.code == .deadlineExceeded || !self.isRetryable }
}
