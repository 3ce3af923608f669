import AWS
import FoundationEssentials
import Jobs
import Logging
import Postgres

/// The listing of a disk's files that is made before its pod ends, if it can be had within a minute.
struct ContentsListing: Sendable {
    /// What is known of a listing that was stored.
    struct Stored: Sendable {
        let uri: String
        /// As du prints it.
        let usage: String?
    }

    private let job: AwaitedJob
    private let id: JobID
    private let store: ContentsStore
    private let disk: HeldDisk

    private static let timeout: Duration = .seconds(60)
    static let pause: Duration = .seconds(3)

    init(of disk: HeldDisk, id: JobID, store: ContentsStore, in database: PostgresPool) {
        self.job = AwaitedJob("disk.capture-contents", id: id, in: database)
        self.id = id
        self.store = store
        self.disk = disk
    }

    private struct Capture: Encodable {
        let user_id: String
        let disk_name: String
        let pod_name: String
    }

    /// Whether it has begun and may still be waited for.
    func isUnderWay() async throws -> Bool {
        guard case .underWay(let age) = try await self.job.progress() else { return false }
        return age < Self.timeout
    }

    /// Begins it; false if that has been done before.
    func begin(in pod: String) async throws -> Bool {
        guard try await self.job.progress() == .notBegun else { return false }
        let capture = Capture(user_id: self.disk.user, disk_name: self.disk.name, pod_name: pod)
        try await self.job.begin(capture)
        return true
    }

    /// The listing, if the job has stored one; a listing that cannot be read is done without.
    func stored(deadline: ContinuousClock.Instant, logger: Logger) async throws -> Stored? {
        guard try await self.job.progress() == .ended(successfully: true) else { return nil }
        do {
            return try await self.store.listing(of: self.disk, by: self.id, deadline: deadline)
        } catch {
            logger.warning("the listing could not be read", metadata: ["error": "\(error)"])
            return nil
        }
    }
}
