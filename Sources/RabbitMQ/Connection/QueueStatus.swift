/// What a queue holds, as its declaration tells.
package struct QueueStatus: Sendable, Equatable {
    /// The queue's name, which the broker chose if the declaration gave none.
    package let name: String
    /// The messages that are ready to be handed out.
    package let messages: UInt32
    /// How many consumers the queue has.
    package let consumers: UInt32
}
