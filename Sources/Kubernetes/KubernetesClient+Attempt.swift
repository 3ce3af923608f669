import Calls
import HTTP

extension KubernetesClient {
    /// Finds the way, sends and reads, once.
    func attempt<Output: Sendable>(
        _ request: APIRequest,
        deadline: ContinuousClock.Instant,
        decode: @escaping @Sendable ([UInt8]) throws -> Output
    ) async -> Result<Output, AttemptFailure<KubernetesError, AccessRemedy>> {
        var used: AccessCache.Held?
        var record: CallRecord?
        do throws(KubernetesError) {
            let held = try await self.access.current(deadline: deadline, for: request.operation)
            used = held
            record = CallRecord(of: request, to: held.access, self.tracer)
            let response = try await self.exchange(request, held.access, deadline)
            guard (200..<300).contains(response.status) else {
                throw KubernetesError(response, operation: request.operation)
            }
            let output = try await self.read(response, to: request, decode)
            record?.end(with: nil)
            return .success(output)
        } catch {
            record?.end(with: error)
            return .failure(AttemptFailure(error, access: used))
        }
    }

    private func exchange(
        _ request: APIRequest,
        _ access: ClusterAccess,
        _ deadline: ContinuousClock.Instant
    ) async throws(KubernetesError) -> HTTPResponse {
        guard deadline.remaining > .zero else {
            throw KubernetesError(
                code: .deadlineExceeded,
                operation: request.operation,
                message: "no time was left to send it"
            )
        }
        do throws(HTTPError) {
            return try await self.http.send(request.http(to: access), within: deadline.remaining)
        } catch {
            let isLate = deadline.remaining <= .zero
            throw KubernetesError(error, operation: request.operation, deadlineHasPassed: isLate)
        }
    }

    /// Large answers are read away from the caller's executor, which may be a loop that must not be held up.
    private func read<Output: Sendable>(
        _ response: HTTPResponse,
        to request: APIRequest,
        _ decode: @escaping @Sendable ([UInt8]) throws -> Output
    ) async throws(KubernetesError) -> Output {
        let work: @Sendable () -> Result<Output, any Error> = { Result { try decode(response.body) } }
        let isLarge = response.body.count > 64 << 10
        let result =
            isLarge
            ? await withTaskExecutorPreference(globalConcurrentExecutor) { work() }
            : work()
        do {
            return try result.get()
        } catch {
            throw KubernetesError(
                code: .malformedResponse,
                operation: request.operation,
                message: "the answer cannot be read as what was asked for: \(DecodingProblem(error))",
                status: response.status
            )
        }
    }
}
