import CPostgres
import Glibc
import Logging

/// Owns one connection of libpq, non-blocking and in pipeline mode, and ends it at the latest with itself.
///
/// `@unchecked Sendable`: made on one thread and then moved to the loop whole; being unique, it is only ever used on
/// one thread at a time. libpq takes a null connection for a closed one everywhere, so a handle may be used after
/// its end.
struct ConnectionHandle: ~Copyable, @unchecked Sendable {
    private var connection: OpaquePointer?
    private let notices: NoticeLog
    private var parameters = ParameterBuffer()

    /// Connects, and blocks: name look-up, handshake and password hashing all happen inside.
    init(connecting parameters: ConnectionParameters, logger: Logger) throws(PostgresError) {
        self.notices = NoticeLog(logger: logger)
        self.connection = parameters.withCStrings { PQconnectdbParams($0, $1, 1) }
        guard let connection = self.connection, PQstatus(connection) == CONNECTION_OK else {
            throw self.error(.connectionFailed, operation: "connect")
        }
        self.notices.attach(to: connection)
        guard PQsetnonblocking(connection, 1) == 0, PQenterPipelineMode(connection) == 1 else {
            throw self.error(.connectionFailed, operation: "connect")
        }
    }

    deinit {
        PQfinish(self.connection)
    }

    /// Says goodbye to the server, without waiting, and closes the socket.
    mutating func finish() {
        PQfinish(self.connection)
        self.connection = nil
    }

    var socket: CInt { PQsocket(self.connection) }
    var isBroken: Bool { PQstatus(self.connection) != CONNECTION_OK }
    var isBusy: Bool { PQisBusy(self.connection) != 0 }
    var isInTransaction: Bool { PQtransactionStatus(self.connection) != PQTRANS_IDLE }
    var hasOpenTransaction: Bool { PQtransactionStatus(self.connection) == PQTRANS_INTRANS }

    /// Takes in what has arrived; false if the connection is gone.
    func consumeInput() -> Bool { PQconsumeInput(self.connection) == 1 }

    /// Sends what the socket takes; nil if the connection is gone, else whether everything is out.
    func flush() -> Bool? {
        switch PQflush(self.connection) {
        case 0: true
        case 1: false
        default: nil
        }
    }

    /// The next result; nil between the results of two statements; ask only when not busy.
    func nextResult() -> ResultHandle? { PQgetResult(self.connection).map(ResultHandle.init) }

    /// The next notification that has arrived.
    func nextNotification() -> PostgresNotification? {
        guard let notification = PQnotifies(self.connection) else { return nil }
        defer { PQfreemem(notification) }
        return PostgresNotification(
            channel: String(cString: notification.pointee.relname),
            payload: String(cString: notification.pointee.extra),
            processID: notification.pointee.be_pid
        )
    }

    /// Queues the preparation of a statement.
    func prepare(_ text: String, as name: String) -> Bool {
        PQsendPrepare(self.connection, name, text, 0, nil) == 1
    }

    /// Queues a statement that was prepared.
    mutating func execute(prepared name: String, _ values: [PostgresValue]) -> Bool {
        let connection = self.connection
        return self.parameters.with(values) {
            PQsendQueryPrepared(connection, name, $0, $1, $2, $3, 0) == 1
        }
    }

    /// Queues a statement by its text.
    mutating func execute(_ text: String, _ values: [PostgresValue]) -> Bool {
        let connection = self.connection
        return self.parameters.with(values) {
            PQsendQueryParams(connection, text, $0, nil, $1, $2, $3, 0) == 1
        }
    }

    /// Ends a group of statements that fail together, and sends all that is queued.
    func sync() -> Bool { PQpipelineSync(self.connection) == 1 }

    /// Sends text of several statements, for which pipeline mode has to be left; nothing may be under way.
    func executeScript(_ text: String) -> Bool {
        PQexitPipelineMode(self.connection) == 1 && PQsendQuery(self.connection, text) == 1
    }

    /// Goes back to pipeline mode after a script.
    func endScript() -> Bool { PQenterPipelineMode(self.connection) == 1 }

    /// An error with what libpq last said.
    func error(_ code: PostgresError.Code, operation: String) -> PostgresError {
        PostgresError(
            code,
            operation: operation,
            message: String(cString: PQerrorMessage(self.connection)).trimmed
        )
    }
}

extension ConnectionParameters {
    /// Lends keywords and values as the two null-terminated arrays that libpq wants.
    func withCStrings<R>(
        _ body: (UnsafePointer<UnsafePointer<CChar>?>, UnsafePointer<UnsafePointer<CChar>?>) -> R
    ) -> R {
        let keywords: [UnsafeMutablePointer<CChar>?] = self.pairs.map { strdup($0.keyword) } + [nil]
        let values: [UnsafeMutablePointer<CChar>?] = self.pairs.map { strdup($0.value) } + [nil]
        defer { for text in keywords + values { free(text) } }
        return body(keywords.map { UnsafePointer($0) }, values.map { UnsafePointer($0) })
    }
}
