import Calls
import HTTP

/// Another way to the API server, instead of one that does not lead there.
struct AccessRemedy: Identifiable, Sendable {
    /// What may be wrong with the way.
    let complaint: AccessComplaint
    /// The way that was used.
    let access: AccessCache.Held

    var id: AccessComplaint { self.complaint }
}

extension AttemptFailure where Failure == KubernetesError, Remedy == AccessRemedy {
    private static var mostAttempts: Int { 4 }

    /// - Parameters:
    ///   - error: What the attempt failed with.
    ///   - access: What it was sent with; nil if it never was.
    init(_ error: KubernetesError, access: AccessCache.Held?) {
        var remedies: [AccessRemedy] = []
        if let access, let complaint = error.complaint {
            remedies = [AccessRemedy(complaint: complaint, access: access)]
        }
        self.init(error, mostAttempts: Self.mostAttempts, remedies: remedies)
    }

    /// The failure of an attempt that may have begun to act, so that it must not be repeated.
    init(mayHaveActed error: KubernetesError) {
        self.init(error, mostAttempts: 1)
    }
}

extension KubernetesError {
    /// What may be wrong with the way to the server.
    fileprivate var complaint: AccessComplaint? {
        // A certificate of a new authority with the name of the old one looks like a handshake that breaks off.
        switch (self.underlying as? HTTPError)?.code {
        case .tlsFailed, .connectionFailed, .resolveFailed: .unreachable
        default: self.code == .credentials ? .refused : nil
        }
    }
}
