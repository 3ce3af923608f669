import CRabbitMQ

extension RabbitMQError {
    /// What a status of librabbitmq means while a connection is being opened.
    init(opening status: CInt, during operation: String) {
        let code: Code =
            switch amqp_status_enum(status) {
            case AMQP_STATUS_SSL_ERROR, AMQP_STATUS_SSL_CONNECTION_FAILED: .tlsFailed
            case AMQP_STATUS_SSL_HOSTNAME_VERIFY_FAILED, AMQP_STATUS_SSL_PEER_VERIFY_FAILED: .tlsFailed
            case AMQP_STATUS_TIMEOUT: .deadlineExceeded
            default: .connectionFailed
            }
        self.init(code, during: operation, RabbitMQError.text(of: status))
    }

    /// What a status of librabbitmq means on a connection that was open.
    init(status: CInt, during operation: String) {
        self.init(.connectionLost, during: operation, RabbitMQError.text(of: status))
    }

    /// What the broker's refusal of a login means (AMQP 0-9-1 reply codes; 530 is an unknown virtual host).
    init(refusedLogin replyCode: UInt16, _ text: String, during operation: String) {
        let code: Code =
            switch replyCode {
            case 403: .authenticationFailed
            case 530: .accessRefused
            default: .connectionFailed
            }
        self.init(code, during: operation, replyCode: replyCode, text)
    }

    /// What the broker's closing of a channel means (AMQP 0-9-1 reply codes).
    init(channelClosed replyCode: UInt16, _ text: String, during operation: String) {
        let code: Code =
            switch replyCode {
            case 403: .accessRefused
            case 404: .notFound
            case 405: .resourceLocked
            case 406: .preconditionFailed
            default: .channelClosed
            }
        self.init(code, during: operation, replyCode: replyCode, text)
    }

    private static func text(of status: CInt) -> String { String(cString: amqp_error_string2(status)) }
}
