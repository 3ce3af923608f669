/// The name of one delivery, good on the connection that it came on and nowhere else.
package struct DeliveryTag: Sendable, Hashable {
    /// The connection's number in this process.
    package let epoch: UInt64
    /// The delivery's number on that connection, counted from 1.
    package let number: UInt64

    /// The tag of that delivery on that connection.
    package init(epoch: UInt64, number: UInt64) {
        self.epoch = epoch
        self.number = number
    }
}
