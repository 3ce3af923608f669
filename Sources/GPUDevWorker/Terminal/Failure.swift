import Admin
import ArgumentParser
import Jobs
import Postgres
import RabbitMQ

/// How a command ends that does not do what was asked, in words and as an exit code.
struct Failure: Error {
    /// What a calling program can tell apart.
    enum Code: Int32 {
        case failed = 1
        case partly = 2
        case usage = 64
        case unreachable = 69
        case configuration = 78
    }

    let code: Code
    let lines: [String]

    init(_ code: Code, _ lines: String...) {
        self.code = code
        self.lines = lines
    }

    private init(_ code: Code, lines: [String]) {
        self.code = code
        self.lines = lines
    }

    /// Nil for what the argument parser itself knows how to print.
    init?(_ error: any Error) {
        switch error {
        case let failure as Failure: self = failure
        case let faults as ConfigurationFaults: self.init(.configuration, lines: faults.lines)
        case let topology as UnsafeTopology: self.init(.configuration, lines: topology.faults)
        case let port as AdminPortUnavailable:
            self.init(
                .configuration,
                "the admin port cannot listen at \(port.address): \(port.reason)",
                "set HTTP_PORT to a port that is free, or to 0 for any"
            )
        case let malformed as Malformed: self.init(.usage, malformed.message)
        case let faults as PayloadFaults: self.init(.usage, "\(faults)")
        case let error as RabbitMQError where error.code == .authenticationFailed:
            self.init(.unreachable, "\(error)", "check user, password and virtual host in AMQP_URL")
        case let error as RabbitMQError where error.isRetryable || error.code == .tlsFailed:
            self.init(.unreachable, "\(error)", "check AMQP_URL, and whether RabbitMQ runs")
        case let error as PostgresError where error.isConnectionLost:
            self.init(.unreachable, "\(error)", "check DATABASE_URL, and whether PostgreSQL runs")
        case let error as PostgresError where error.sqlState == "42P01":
            self.init(.failed, "\(error)", "run `gpudev-worker migrate` first")
        case is RabbitMQError, is PostgresError: self.init(.failed, "\(error)")
        default: return nil
        }
    }
}
