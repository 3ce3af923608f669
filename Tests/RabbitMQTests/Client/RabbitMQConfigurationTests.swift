import RabbitMQ
import Testing

@testable import struct RabbitMQ.BrokerURL

struct RabbitMQConfigurationTests {
    /// The examples of the AMQP URI specification (rabbitmq.com/docs/uri-spec), and those that only look right.
    @Test(arguments: [
        ("amqp://user:pass@host:10000/vhost", "user", "pass", "host", 10000, "vhost", false),
        ("amqp://user%61:%61pass@ho%61st:10000/v%2fhost", "usera", "apass", "hoast", 10000, "v/host", false),
        ("amqp://", "guest", "guest", "localhost", 5672, "/", false),
        ("amqp://user@", "user", "", "localhost", 5672, "/", false),
        ("amqp://user:pass@", "user", "pass", "localhost", 5672, "/", false),
        ("amqp://host", "guest", "guest", "host", 5672, "/", false),
        ("amqp://:10000", "guest", "guest", "localhost", 10000, "/", false),
        ("amqp://host:10000/%2f", "guest", "guest", "host", 10000, "/", false),
        ("amqp://[::1]", "guest", "guest", "::1", 5672, "/", false),
        ("amqp://[::1]:10000/a", "guest", "guest", "::1", 10000, "a", false),
        ("amqps://host/vhost?heartbeat=7&x=y", "guest", "guest", "host", 5671, "vhost", true),
        ("AMQPS://u:p%40%3A%2F@h", "u", "p@:/", "h", 5671, "/", true),
    ])
    func `a URL is divided as the specification says`(
        _ text: String,
        user: String,
        password: String,
        host: String,
        port: UInt16,
        vhost: String,
        tls: Bool
    ) throws {
        let url = try BrokerURL(text)
        #expect((url.user, url.password) == (user, password))
        #expect((url.host, url.port, url.virtualHost, url.usesTLS) == (host, port, vhost, tls))
    }

    @Test(arguments: [
        "", "host", "http://host", "amqp://host:port", "amqp://host:0", "amqp://host:70000", "amqp://h/%zz",
        "amqp://h/%2", "amqp://h/a/b", "amqp://u:%00@h", "amqp://[::1", "amqp://[::1]x",
        "amqp://h?heartbeat=x",
    ])
    func `a broken URL is refused without its password`(_ text: String) {
        #expect(throws: RabbitMQError.self) { try RabbitMQConfiguration(url: text) }
    }

    @Test func `the description and errors keep the password to themselves`() throws {
        let configuration = try RabbitMQConfiguration(url: "amqp://me:secret@host/%2f?heartbeat=3")
        #expect(!configuration.description.contains("secret"))
        #expect(configuration.heartbeat == .seconds(3))
        let error = #expect(throws: RabbitMQError.self) {
            try RabbitMQConfiguration(url: "amqp://me:secret%zz@host")
        }
        #expect(error?.description.contains("secret") == false)
    }
}
