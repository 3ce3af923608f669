import AWS
import Disks
import EventLoops
import Foundation
import HTTP
import Jobs
import Logging
import Platform
import Postgres
import Reservations
import Synchronization

/// Where worlds are made, one after another: a database, a model of AWS behind a port, and the kinds of jobs.
struct Place: Sendable {
    let peer: EC2Peer
    let database: PostgresPool
    let kinds: KindTable
    let complaints: Complaints
    let ec2: EC2Client

    /// Makes a place, lends it and takes it away.
    static func with<R>(_ body: (Place) async throws -> R) async throws -> R {
        // Without it the `PG…` variables count.
        let url = ProcessInfo.processInfo.environment["GPUDEV_TEST_DATABASE_URL"]
        let server = PostgresConfiguration(url ?? "")
        let name = "worlds_tests_\(UUID().uuidString.lowercased().replacing("-", with: ""))"
        let loop = EventLoop(name: "test")
        defer { loop.stop() }
        let quiet = Logger(label: "worlds-tests") { _ in SwiftLogNoOpLogHandler() }
        let admin = try await PostgresConnection.connect(server, on: loop, logger: quiet)
        _ = try await admin.run("CREATE DATABASE \(identifier: name) TEMPLATE template0")
        // Nothing here need outlive the server, and worlds commit thousands of times.
        _ = try await admin.run("ALTER DATABASE \(identifier: name) SET synchronous_commit = off")
        let own = server.with { configuration in
            var parts = URLComponents(string: configuration.connectionString)
            parts?.path = "/" + name
            configuration.connectionString = parts?.string ?? ""
            configuration.connections = 1...3
        }
        let pool = PostgresPool(own, on: loop, logger: quiet)
        let result: Result<R, any Error>
        do {
            try await Self.migrate(own, loop, quiet)
            result = .success(try await body(try Place(own, pool, quiet)))
        } catch {
            result = .failure(error)
        }
        await pool.close()
        _ = try await admin.run("DROP DATABASE \(identifier: name) WITH (FORCE)")
        await admin.close()
        return try result.get()
    }

    private init(_ configuration: PostgresConfiguration, _ pool: PostgresPool, _ quiet: Logger) throws {
        let peer = try EC2Peer()
        let environment = [
            "AWS_REGION": "eu-west-1", "AWS_ENDPOINT_URL": "http://127.0.0.1:\(peer.port)",
            "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_RATE_FACTOR": "1e9",
        ]
        let client = AWSClient(
            configuration: try AWSConfiguration { environment[$0] },
            http: HTTPClient(),
            logger: quiet
        )
        var kinds = KindTable()
        self.ec2 = EC2Client(client)
        kinds.register(
            DiskServices(
                database: pool,
                direct: configuration,
                ec2: self.ec2,
                s3: S3Client(client),
                kubernetes: nil,
                contentsBucket: nil,
                reconcileDeadline: .seconds(120)
            )
        )
        kinds.register(
            ReservationServices(
                database: pool,
                route53: Route53Client(client),
                loadBalancing: ELBv2Client(client),
                s3: S3Client(client),
                kubernetes: nil,
                contentsBucket: nil,
                dns: nil,
                routes: nil
            )
        )
        self.peer = peer
        self.database = pool
        self.kinds = kinds
        self.complaints = Complaints()
    }

    private static func migrate(_ database: PostgresConfiguration, _ loop: EventLoop, _ logger: Logger)
        async throws
    {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../schemas/sql")
        let files = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
        let migrations = try files.compactMap {
            Migration(fileName: $0.lastPathComponent, sql: try String(contentsOf: $0, encoding: .utf8))
        }
        let connection = try await PostgresConnection.connect(database, on: loop, logger: logger)
        _ = try await Migrations(migrations).apply(on: connection)
        await connection.close()
    }
}

/// What jobs have said in their logs at `warning` or above.
final class Complaints: LogHandler, Sendable {
    private let lines = Mutex<[String]>([])
    private let disks = Mutex<Set<DiskName>>([])

    /// All of it as one text.
    var text: String { self.lines.withLock { $0.joined(separator: "\n") } }

    /// Whether one of them was of the disk.
    func concern(_ disk: DiskName) -> Bool {
        self.disks.withLock { $0.contains(disk) } || self.text.contains("\(disk)")
    }

    func add(_ disk: DiskName) { _ = self.disks.withLock { $0.insert(disk) } }

    func clear() {
        self.lines.withLock { $0 = [] }
        self.disks.withLock { $0 = [] }
    }

    func log(event: LogEvent) {
        guard event.level >= .warning else { return }
        let facts = event.metadata.map { "\($0)" } ?? ""
        self.lines.withLock { $0.append("\(event.message) \(facts)") }
        guard let user = event.metadata?["disk.user"], let name = event.metadata?["disk.name"] else { return }
        self.add(DiskName("\(user)", "\(name)"))
    }

    var metadata: Logger.Metadata {
        get { [:] }
        set {}
    }

    var logLevel: Logger.Level {
        get { .warning }
        set {}
    }

    subscript(metadataKey _: String) -> Logger.Metadata.Value? {
        get { nil }
        set {}
    }
}
