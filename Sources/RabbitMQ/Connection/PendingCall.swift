import CRabbitMQ
import EventLoops

/// A request whose answer is awaited; answers come in the order of the requests.
struct PendingCall {
    /// What an answer holds.
    enum Reply: Sendable {
        case done
        case queue(QueueStatus)
        case delivery(Delivery?)
    }

    let operation: String
    let answer: amqp_method_number_t
    /// The queue that is asked for a message.
    let queue: String
    let waiting: CheckedContinuation<Result<Reply, RabbitMQError>, Never>?
    let deadline: LoopTimer

    func finish(_ result: Result<Reply, RabbitMQError>) {
        self.deadline.cancel()
        self.waiting?.resume(returning: result)
    }
}
