package import FoundationEssentials

/// What became of a container of a pod.
package struct ContainerStatus: Sendable, Hashable {
    /// How a run of a container ended.
    package struct Termination: Sendable, Hashable {
        /// Kubernetes' word, such as `OOMKilled` or `Completed`.
        package let reason: String?
        package let exitCode: Int
        package let finishTime: Date?

        /// An end from its parts.
        package init(reason: String?, exitCode: Int, finishTime: Date?) {
            self.reason = reason
            self.exitCode = exitCode
            self.finishTime = finishTime
        }
    }

    package let name: String
    package let restartCount: Int
    package let isReady: Bool
    package let isRunning: Bool
    /// Why it does not run yet, such as `ImagePullBackOff`.
    package let waitingReason: String?
    /// How it ended, if it has.
    package let termination: Termination?
    /// How the run before this one ended.
    package let lastTermination: Termination?

    /// A status from its parts.
    package init(
        name: String,
        restartCount: Int = 0,
        isReady: Bool = true,
        isRunning: Bool = true,
        waitingReason: String? = nil,
        termination: Termination? = nil,
        lastTermination: Termination? = nil
    ) {
        self.name = name
        self.restartCount = restartCount
        self.isReady = isReady
        self.isRunning = isRunning
        self.waitingReason = waitingReason
        self.termination = termination
        self.lastTermination = lastTermination
    }
}

extension ContainerStatus: Decodable {
    private struct Document: Decodable {
        struct State: Decodable {
            struct Running: Decodable {}

            struct Waiting: Decodable {
                let reason: String?
            }

            struct Terminated: Decodable {
                let reason: String?
                let exitCode: Int
                let finishedAt: Timestamp?
            }

            let running: Running?
            let waiting: Waiting?
            let terminated: Terminated?

            var termination: Termination? {
                self.terminated.map {
                    Termination(
                        reason: $0.reason,
                        exitCode: $0.exitCode,
                        finishTime: $0.finishedAt?.date
                    )
                }
            }
        }

        let name: String
        let ready: Bool?
        let restartCount: Int?
        let state: State?
        let lastState: State?
    }

    package init(from decoder: any Decoder) throws {
        let document = try Document(from: decoder)
        self.init(
            name: document.name,
            restartCount: document.restartCount ?? 0,
            isReady: document.ready ?? false,
            isRunning: document.state?.running != nil,
            waitingReason: document.state?.waiting?.reason,
            termination: document.state?.termination,
            lastTermination: document.lastState?.termination
        )
    }
}
