/// What a queue holds, as its declaration tells.
package struct QueueStatus: Sendable, Equatable {
    package let name: String
    /// The messages that are ready to be handed out.
    package let messages: UInt32
    package let consumers: UInt32
}
