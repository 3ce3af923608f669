import CCurl
import Synchronization

/// The thread on which all transfers of a client run, and the mailbox in front of it.
final class TransferThread: Sendable {
    fileprivate struct Mailbox {
        var orders: [TransferOrder] = []
        var cancellations: [UInt64] = []
        var isStopped = false
        /// The address of the multi handle while the thread uses it; `curl_multi_wakeup` alone may be called
        /// from elsewhere, and only while the lock is held.
        var multi: UInt?
    }

    private let mailbox = Mutex(Mailbox())
    private let lastID = Atomic<UInt64>(0)

    init(_ configuration: HTTPClientConfiguration) {
        startThread(named: "http") { self.run(configuration) }
    }

    func nextTransferID() -> UInt64 { self.lastID.add(1, ordering: .relaxed).newValue }

    func start(_ order: TransferOrder) {
        let isTaken = self.mailbox.withLock { mailbox in
            guard !mailbox.isStopped else { return false }
            mailbox.orders.append(order)
            mailbox.wake()
            return true
        }
        if !isTaken { order.fail(.cancelled, "the client has been shut down") }
    }

    func cancel(_ id: UInt64) {
        self.mailbox.withLock { mailbox in
            mailbox.cancellations.append(id)
            mailbox.wake()
        }
    }

    func stop() {
        self.mailbox.withLock { mailbox in
            mailbox.isStopped = true
            mailbox.wake()
        }
    }

    private func run(_ configuration: HTTPClientConfiguration) {
        let transfers = TransferSet(configuration)
        self.mailbox.withLock { $0.multi = UInt(bitPattern: transfers.multi) }
        while true {
            let (orders, cancellations, isStopped) = self.takeMail()
            for order in orders { transfers.start(order) }
            for id in cancellations { transfers.cancel(id) }
            if isStopped { break }
            transfers.perform()
            transfers.wait()
        }
        self.mailbox.withLock { $0.multi = nil }
        transfers.cancelAll()
    }

    private func takeMail() -> (orders: [TransferOrder], cancellations: [UInt64], isStopped: Bool) {
        self.mailbox.withLock { mailbox in
            defer {
                mailbox.orders.removeAll(keepingCapacity: true)
                mailbox.cancellations.removeAll(keepingCapacity: true)
            }
            return (mailbox.orders, mailbox.cancellations, mailbox.isStopped)
        }
    }
}

extension TransferThread.Mailbox {
    fileprivate func wake() {
        guard let multi, let handle = UnsafeMutableRawPointer(bitPattern: multi) else { return }
        _ = curl_multi_wakeup(handle)
    }
}
