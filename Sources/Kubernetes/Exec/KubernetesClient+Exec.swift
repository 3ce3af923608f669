import Calls
import HTTP

extension KubernetesClient {
    /// Runs a command in a container of a pod and collects what it prints.
    ///
    /// It is started at most once: when it may have begun, it is not repeated.
    ///
    /// - Parameters:
    ///   - command: The program and its arguments; no shell is in between.
    ///   - pod: The pod, as it was read.
    ///   - container: The container's name.
    ///   - deadline: When to give up; the command may go on then.
    ///   - limit: How many bytes of output are kept, and as many of error output; what comes after is read and thrown
    ///     away, until it is sixteen mebibytes more, for the sake of the exit code.
    /// - Returns: What it printed and how it ended, as far as the server reported it.
    /// - Throws: When the command could not be started, or has not ended by the deadline.
    package func execute(
        _ command: [String],
        in pod: Pod,
        container: String,
        deadline: ContinuousClock.Instant,
        limit: Int = 1 << 20
    ) async throws(KubernetesError) -> ExecResult {
        let request = APIRequest(
            "pods.exec",
            .get,
            ["api", "v1", "namespaces", pod.namespace, "pods", pod.name, "exec"],
            query: command.map { ("command", $0) } + [
                ("container", container), ("stdin", "false"), ("stdout", "true"), ("stderr", "true"),
                ("tty", "false"),
            ]
        )
        return try await self.retry(until: deadline) { await self.attemptExec(request, limit, deadline) }
    }

    private func attemptExec(
        _ request: APIRequest,
        _ limit: Int,
        _ deadline: ContinuousClock.Instant
    ) async -> Result<ExecResult, AttemptFailure<KubernetesError, AccessRemedy>> {
        var used: AccessCache.Held?
        var record: CallRecord?
        do throws(KubernetesError) {
            let held = try await self.access.current(deadline: deadline, for: request.operation)
            used = held
            record = CallRecord(of: request, to: held.access, self.tracer)
            let conversation = ExecConversation(request, to: held.access, limit: limit)
            let ended = try await self.carry(conversation, request, held.access, deadline)
            let result: ExecResult
            do throws(KubernetesError) {
                result = try ended.result()
            } catch  where ended.isOpen {
                record?.end(with: error)
                return .failure(AttemptFailure(mayHaveActed: error))
            }
            record?.end(with: nil)
            return .success(result)
        } catch {
            record?.end(with: error)
            return .failure(AttemptFailure(error, access: used))
        }
    }

    private func carry(
        _ conversation: ExecConversation,
        _ request: APIRequest,
        _ access: ClusterAccess,
        _ deadline: ContinuousClock.Instant
    ) async throws(KubernetesError) -> ExecConversation {
        do throws(HTTPError) {
            return try await self.http.converse(
                conversation,
                with: request.http(to: access),
                within: deadline.remaining
            )
        } catch {
            let isLate = deadline.remaining <= .zero
            throw KubernetesError(error, operation: request.operation, deadlineHasPassed: isLate)
        }
    }
}

/// What a command in a container printed, and how it ended.
package struct ExecResult: Sendable, Hashable {
    /// The bytes as they came, cut at the limit; in no way checked to be text.
    package let standardOutput: [UInt8]
    package let standardError: [UInt8]
    /// The command's exit code; nil if the connection ended before the server reported it, so that nobody knows whether the
    /// command ran to its end.
    package let exitCode: Int?
    /// Whether there was more output, or error output, than the limit.
    package let isTruncated: Bool
}
