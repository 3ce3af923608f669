import HTTP
import Kubernetes
import Postgres
import RabbitMQ

/// What the doctor has found out, one line for each thing, printed as soon as it is known.
struct DoctorReport {
    /// Whether nothing falls short.
    private(set) var isGood = true

    /// How long one thing may take to answer.
    static let timeout: Duration = .seconds(4)

    /// Asks one thing; `remedy` says what to do where the failure itself does not say.
    ///
    /// Returns whether it is in order.
    @discardableResult
    mutating func check(_ name: String, _ remedy: String, _ body: () async throws -> String) async -> Bool {
        do {
            self.print("ok  ", name, try await body())
            return true
        } catch {
            let failure = (error as? Failure)?.lines.joined(separator: "; ") ?? "\(error)"
            self.fail(name, failure, Self.remedy(for: error) ?? remedy)
            return false
        }
    }

    mutating func fail(_ name: String, _ failure: String, _ remedy: String) {
        self.isGood = false
        self.print("FAIL", name, "\(failure). To do: \(remedy)")
    }

    /// Something that is not set up, which is nobody's fault.
    func off(_ name: String, _ reason: String) { self.print("off ", name, reason) }

    /// Something that nothing can be said of while what it rests on is away.
    func skip(_ name: String, since what: String) { self.print("skip", name, "not checked, since \(what)") }

    private func print(_ state: String, _ name: String, _ text: String) {
        Terminal.print("\(state) \(name): \(text)")
    }

    /// What to do about failures that mean the same whatever was asked.
    private static func remedy(for error: any Error) -> String? {
        switch error {
        case let error as PostgresError where error.isConnectionLost:
            "check DATABASE_URL, and whether PostgreSQL runs and can be reached"
        case let error as RabbitMQError where error.code == .authenticationFailed:
            "check user, password and virtual host in AMQP_URL"
        case let error as RabbitMQError where error.isRetryable:
            "check AMQP_URL, and whether the broker runs and can be reached"
        case let error as KubernetesError: Self.remedy(for: error)
        default: nil
        }
    }

    private static func remedy(for error: KubernetesError) -> String? {
        // A new authority under the name of the old one looks like a handshake that breaks off.
        if let http = error.underlying as? HTTPError,
            http.code == .tlsFailed || http.code == .connectionFailed && http.message.contains("SSL")
        {
            return "the server's certificate is not signed by the authority that is known here: bring the "
                + "authority in KUBECONFIG, or ca.crt beside the mounted token, up to date"
        }
        switch error.code {
        case .credentials:
            return "the server does not know the token or certificate: renew it, or see that the service "
                + "account's token is mounted"
        case .accessDenied: return "apply k8s/access and k8s/base/cluster-role.yaml with their bindings"
        case .transient, .deadlineExceeded, .throttled:
            return "see whether the API server runs and can be reached, and whether KUBECONFIG names it"
        default: return nil
        }
    }
}
