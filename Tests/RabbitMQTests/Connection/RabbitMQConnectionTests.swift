import EventLoops
import Foundation
import RabbitMQ
import Synchronization
import Testing

struct RabbitMQConnectionTests {
    @Test func `a message is published, consumed and acknowledged`() async throws {
        let connection = try await Broker.connect()
        #expect(connection.brokerProperties["product"] == "RabbitMQ")
        let queue = try await connection.declareQueue("", durable: false, exclusive: true).name
        let (deliveries, sink) = AsyncStream.makeStream(of: Delivery.self)
        _ = try await connection.startConsuming(queue, prefetch: 10) { sink.yield($0) }
        let message = Message(properties: MessageProperties(messageID: "1"), body: Array("hello".utf8))
        let outcome = try await connection.publish(message, to: "", routingKey: queue)
        #expect(outcome.isConfirmed)
        let delivery = try #require(await deliveries.first { _ in true })
        #expect(delivery.message.body == message.body)
        #expect(delivery.message.properties.messageID == "1")
        #expect(delivery.queue == queue)
        connection.acknowledge(delivery.tag)
        await connection.close()
        let reason = await connection.waitUntilClosed()
        #expect(reason?.code == nil)
    }
}
