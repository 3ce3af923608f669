import CPostgres
import Glibc

/// One libpq connection in non-blocking pipeline mode, and the only code that touches it.
///
/// Frees the `PGconn` exactly once, when it goes. libpq allows one thread at a time; the connection's loop is that
/// thread once `connect` has returned.
struct PostgresHandle: ~Copyable {
    private let connection: OpaquePointer

    /// Connects, and blocks while it does; call it where blocking is allowed.
    init(_ configuration: PostgresConfiguration) throws(PostgresError) {
        let parameters = configuration.parameters
        let keywords = parameters.map { strdup($0.0) } + [nil]
        let values = parameters.map { strdup($0.1) } + [nil]
        defer { for text in keywords + values { free(text) } }
        guard
            let connection = PQconnectdbParams(
                keywords.map { UnsafePointer($0) },
                values.map { UnsafePointer($0) },
                1
            )
        else { throw PostgresError(.connectionFailed, during: "connect", "out of memory") }
        guard PQstatus(connection) == CONNECTION_OK, PQsetnonblocking(connection, 1) == 0,
            PQenterPipelineMode(connection) == 1
        else {
            let message = String(cString: PQerrorMessage(connection)).trimmed
            PQfinish(connection)
            throw PostgresError(.connectionFailed, during: "connect", message)
        }
        self.connection = connection
    }

    deinit { PQfinish(self.connection) }

    var socket: CInt { PQsocket(self.connection) }
    var isIdle: Bool { PQtransactionStatus(self.connection) == PQTRANS_IDLE }
    var errorMessage: String { String(cString: PQerrorMessage(self.connection)).trimmed }

    borrowing func sendPrepare(_ text: String, as name: String) -> Bool {
        PQsendPrepare(self.connection, name, text, 0, nil) == 1
    }

    borrowing func sendExecute(_ name: String, with values: [PostgresValue]) -> Bool {
        let buffers = values.map(\.wireBytes)
        let lengths = values.map { value in
            if case .bytes(let bytes) = value { CInt(bytes.count) } else { 0 as CInt }
        }
        let formats = values.map { value in if case .bytes = value { 1 as CInt } else { 0 as CInt } }
        return withPointers(to: buffers) { pointers in
            PQsendQueryPrepared(self.connection, name, CInt(values.count), pointers, lengths, formats, 0) == 1
        }
    }

    borrowing func sendSync() -> Bool { PQpipelineSync(self.connection) == 1 }

    /// Writes what has gathered; true when all of it has left.
    borrowing func flush() throws(PostgresError) -> Bool {
        let left = PQflush(self.connection)
        guard left >= 0 else { throw PostgresError(.connectionLost, during: "write", self.errorMessage) }
        return left == 0
    }

    borrowing func readInput() throws(PostgresError) {
        guard PQconsumeInput(self.connection) == 1 else {
            throw PostgresError(.connectionLost, during: "read", self.errorMessage)
        }
    }

    /// The next step that the server has answered completely; nothing while it has not.
    borrowing func nextAnswer() -> PostgresAnswer? {
        var terminators = 0
        while PQisBusy(self.connection) == 0, terminators < 2 {
            guard let result = PQgetResult(self.connection) else {
                terminators += 1
                continue
            }
            defer { PQclear(result) }
            return PostgresAnswer(result)
        }
        return nil
    }
}

extension PostgresValue {
    /// What libpq is given: text ends with a zero, bytes have a length.
    fileprivate var wireBytes: [UInt8]? {
        switch self {
        case .null: nil
        case .text(let text): Array(text.utf8) + [0]
        // An empty array has no address, and no address means null.
        case .bytes(let bytes): bytes.isEmpty ? [0] : bytes
        }
    }
}

/// Calls `body` with an array of pointers to `buffers`, good only during the call.
private func withPointers<Result>(
    to buffers: [[UInt8]?],
    _ body: ([UnsafePointer<CChar>?]) -> Result,
) -> Result {
    var offsets: [Int?] = []
    var storage: [UInt8] = []
    for buffer in buffers {
        offsets.append(buffer.map { _ in storage.count })
        storage += buffer ?? []
    }
    return storage.withUnsafeBytes { bytes in
        body(
            offsets.map { offset in
                offset.flatMap { bytes.baseAddress?.advanced(by: $0).assumingMemoryBound(to: CChar.self) }
            }
        )
    }
}
