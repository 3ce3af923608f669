import CPostgres
import Logging

/// Takes the notices of one connection to its logger, instead of to standard error.
final class NoticeLog: Sendable {
    private let logger: Logger

    init(logger: Logger) {
        self.logger = logger
    }

    /// Makes libpq report here; the log must outlive the connection.
    func attach(to connection: OpaquePointer) {
        PQsetNoticeReceiver(
            connection,
            { context, result in
                guard let context, let result else { return }
                Unmanaged<NoticeLog>.fromOpaque(context).takeUnretainedValue().report(result)
            },
            Unmanaged.passUnretained(self).toOpaque()
        )
    }

    private func report(_ result: OpaquePointer) {
        self.logger.debug(
            "notice from PostgreSQL",
            metadata: [
                "postgres.severity": .string(Self.field(cpostgres_severity, of: result)),
                "postgres.sqlstate": .string(Self.field(cpostgres_sqlstate, of: result)),
                "postgres.message": .string(Self.field(cpostgres_message, of: result)),
            ]
        )
    }

    private static func field(_ code: CInt, of result: OpaquePointer) -> String {
        PQresultErrorField(result, code).map { String(cString: $0) } ?? ""
    }
}
