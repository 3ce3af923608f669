import CRabbitMQ
import EventLoops

extension RabbitMQConnection {
    /// Sends a request at the end of the iteration and returns the broker's answer.
    func call(
        _ operation: String,
        answeredBy answer: amqp_method_number_t,
        queue: String = "",
        _ send: @escaping (Wire) -> CInt,
    ) async throws(RabbitMQError) -> PendingCall.Reply {
        guard self.wire != nil, !self.isClosing else { throw self.closedError(during: operation) }
        return try await withCheckedContinuation { continuation in
            self.enqueueCall(operation, answeredBy: answer, queue: queue, waiting: continuation, send)
        }.get()
    }

    /// Queues a request; its answer goes to `waiting`, if anybody waits.
    ///
    /// A broker that has not answered within the request timeout has lost its connection: later answers could
    /// not be told apart.
    func enqueueCall(
        _ operation: String,
        answeredBy answer: amqp_method_number_t,
        queue: String = "",
        waiting: CheckedContinuation<Result<PendingCall.Reply, RabbitMQError>, Never>? = nil,
        _ send: @escaping (Wire) -> CInt,
    ) {
        let late = RabbitMQError(.deadlineExceeded, during: operation, "no answer in time")
        let deadline = self.loop.after(self.configuration.requestTimeout) { [weak self] in
            self?.assumeIsolated { $0.end(with: late) }
        }
        self.calls.append(
            PendingCall(
                operation: operation,
                answer: answer,
                queue: queue,
                waiting: waiting,
                deadline: deadline
            )
        )
        // What was decided before the request takes effect before it.
        self.queueVerdicts()
        self.requests.append(send)
        self.requestFlush()
    }

    /// Hands an answer to the oldest request if it is the one that this answers.
    func answerCall(_ answer: amqp_method_number_t, with reply: PendingCall.Reply) {
        guard let call = self.calls.first, call.answer == answer else { return }
        self.calls.removeFirst()
        call.finish(.success(reply))
    }
}
