import CRabbitMQ
import Glibc

extension Wire {
    /// Connects, logs in and opens the channel.
    ///
    /// Waits for the broker, so it runs on a thread of its own.
    static func open(_ configuration: RabbitMQConfiguration) throws(RabbitMQError) -> Wire {
        guard let state = amqp_new_connection() else {
            throw RabbitMQError(.connectionFailed, during: "connection.open", "out of memory")
        }
        do throws(RabbitMQError) {
            let sendShare = try self.openSocket(state, configuration)
            try self.logIn(state, configuration)
            try self.openChannel(state, configuration)
            return Wire(state: state, sendShare: sendShare)
        } catch {
            amqp_destroy_connection(state)
            throw error
        }
    }

    private static func openSocket(
        _ state: amqp_connection_state_t,
        _ configuration: RabbitMQConfiguration
    ) throws(RabbitMQError) -> Int {
        let socket =
            configuration.url.usesTLS
            ? try self.secureSocket(state, caFile: configuration.caFile) : amqp_tcp_socket_new(state)
        guard let socket else { throw RabbitMQError(.connectionFailed, during: "connect", "out of memory") }
        var timeout = timeval(configuration.connectTimeout)
        let status = amqp_socket_open_noblock(
            socket,
            configuration.url.host,
            CInt(configuration.url.port),
            &timeout
        )
        guard status == AMQP_STATUS_OK.rawValue else {
            throw RabbitMQError(opening: status, during: "connect")
        }
        return Int(crabbitmq_tune_socket(amqp_get_sockfd(state)))
    }

    private static func secureSocket(
        _ state: amqp_connection_state_t,
        caFile: String?
    ) throws(RabbitMQError) -> OpaquePointer? {
        guard let socket = amqp_ssl_socket_new(state) else { return nil }
        let authorities = caFile ?? systemAuthorities()
        guard amqp_ssl_socket_set_cacert(socket, authorities) == AMQP_STATUS_OK.rawValue else {
            throw RabbitMQError(.tlsFailed, during: "connect", "no authorities in \(authorities)")
        }
        amqp_ssl_socket_set_verify_peer(socket, 1)
        amqp_ssl_socket_set_verify_hostname(socket, 1)
        amqp_ssl_socket_set_ssl_versions(socket, AMQP_TLSv1_2, AMQP_TLSvLATEST)
        return socket
    }

    private static func logIn(
        _ state: amqp_connection_state_t,
        _ configuration: RabbitMQConfiguration
    ) throws(RabbitMQError) {
        var timeout = timeval(configuration.connectTimeout)
        amqp_set_handshake_timeout(state, &timeout)
        amqp_set_rpc_timeout(state, &timeout)
        var pool = amqp_pool_t()
        init_amqp_pool(&pool, 4096)
        defer { empty_amqp_pool(&pool) }
        var properties = withUnsafeMutablePointer(to: &pool) {
            FieldWriter(pool: $0).table(clientProperties(named: configuration.connectionName))
        }
        let url = configuration.url
        let reply = crabbitmq_login(
            state,
            url.virtualHost,
            CInt(configuration.frameMax),
            CInt(configuration.heartbeat.components.seconds),
            &properties,
            url.user,
            url.password
        )
        try self.check(reply, during: "login")
    }

    private static func openChannel(
        _ state: amqp_connection_state_t,
        _ configuration: RabbitMQConfiguration
    ) throws(RabbitMQError) {
        _ = amqp_channel_open(state, Wire.channel)
        try self.check(amqp_get_rpc_reply(state), during: "channel.open")
        amqp_maybe_release_buffers(state)
    }

    private static func check(_ reply: amqp_rpc_reply_t, during operation: String) throws(RabbitMQError) {
        switch reply.reply_type {
        case AMQP_RESPONSE_NORMAL: return
        case AMQP_RESPONSE_SERVER_EXCEPTION:
            guard reply.reply.id == AMQP_CONNECTION_CLOSE_METHOD, let decoded = reply.reply.decoded else {
                break
            }
            let close = decoded.assumingMemoryBound(to: amqp_connection_close_t.self).pointee
            let text = FieldReader.text(close.reply_text)
            throw RabbitMQError(refusedLogin: close.reply_code, text, during: operation)
        default: throw RabbitMQError(opening: reply.library_error, during: operation)
        }
        throw RabbitMQError(.connectionFailed, during: operation, "an unexpected answer")
    }
}

/// What the broker learns about this program and what it can do.
private func clientProperties(named name: String) -> FieldTable {
    [
        "product": "gpudev-worker",
        "platform": "Swift",
        "connection_name": .string(name),
        "capabilities": .table([
            "publisher_confirms": true,
            "consumer_cancel_notify": true,
            "exchange_exchange_bindings": true,
            "basic.nack": true,
            "connection.blocked": true,
            "authentication_failure_close": true,
        ]),
    ]
}

private func systemAuthorities() -> String {
    if let named = getenv("SSL_CERT_FILE") { return String(cString: named) }
    return "/etc/ssl/certs/ca-certificates.crt"
}

extension timeval {
    fileprivate init(_ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        self.init(tv_sec: Int(seconds), tv_usec: Int(attoseconds / 1_000_000_000_000))
    }
}
