import AWS
import Foundation
import Fuzzing
import HTTP
import Logging
import Synchronization

/// The same random calls to the model of EC2 and to the AWS server of the tests, and where the answers differ.
///
/// Both are asked by the worker's own client, with the filters that the worker uses. Ids stand for the order in which
/// things were made, and times are left out. What is taken out of the comparison, with AWS's rule:
///
/// - A snapshot is `pending` when CreateSnapshot returns and for a time after, a volume `creating` (Amazon EC2 API
///   Reference, CreateSnapshot and CreateVolume). The server completes both at once, the model volumes alone: states are
///   compared in later looks, when the model's snapshot is complete.
/// - The same client token leads to the same volume for hours, also when that is gone (Ensuring idempotency in Amazon EC2
///   API requests). The server takes no notice of tokens; none is used twice here.
/// - What does not exist has the error `InvalidVolume.NotFound` or `InvalidSnapshot.NotFound` (Error codes for the Amazon
///   EC2 API). DeleteTags names no errors of its own; the server takes it all, the model refuses as for CreateTags.
package struct ModelComparison: Sendable {
    /// Where the server or the model departs from AWS, and the rule in AWS's documentation.
    private let model: Side
    private let server: Side
    private var dice: SplitMix64
    private let user: String
    private var serial = 0

    /// - Parameter seed: What is asked.
    package init(seed: UInt64) throws {
        let peer = try EC2Peer()
        self.model = try Side("http://127.0.0.1:\(peer.port)", peer)
        self.server = try Side(ProcessInfo.processInfo.environment["GPUDEV_TEST_AWS_ENDPOINT"] ?? "", nil)
        self.dice = SplitMix64(seed: seed)
        // Others use the same server.
        self.user = "compared-\(UUID().uuidString)"
    }

    /// Asks both so many times; what was asked and answered where the answers differ.
    package mutating func differences(calls: Int) async -> [String] {
        var found: [String] = []
        for _ in 0..<calls {
            let call = self.call()
            let answers = (await self.model.answer(call), await self.server.answer(call))
            if case .deleteTags = call, answers.0.hasSuffix(".NotFound"), answers.1 == "untagged" { continue }
            if answers.0 != answers.1 {
                found.append("\(call)\n  model:  \(answers.0)\n  server: \(answers.1)")
            }
        }
        return found
    }
}

extension ModelComparison {
    /// A call, with numbers for what was made before; those beyond are of nothing that there ever was.
    private enum Call {
        case createVolume(from: Int?, size: Int, operation: String, tags: Tags)
        case createSnapshot(of: Int, operation: String, tags: Tags)
        case deleteVolume(Int)
        case deleteSnapshot(Int)
        case detachVolume(Int)
        case createTags(Tags, volumes: [Int], snapshots: [Int])
        case deleteTags([String], volumes: [Int], snapshots: [Int])
        case volume(Int)
        case snapshot(Int)
        case volumes(ids: [Int])
        case listVolumes([Filter])
        case listSnapshots([Filter], of: Int?)
    }

    private mutating func call() -> Call {
        let (volumes, snapshots) = (
            self.model.volumes.withLock { $0.count }, self.model.snapshots.withLock { $0.count }
        )
        let volume = Int.random(in: 0...volumes, using: &self.dice)
        let snapshot = Int.random(in: 0...snapshots, using: &self.dice)
        self.serial += 1
        let operation = "\(self.user)-\(self.serial)"
        switch Int.random(in: 0..<16, using: &self.dice) {
        case 0, 1:
            let source = Bool.random(using: &self.dice) ? snapshot : nil
            return .createVolume(from: source, size: 10, operation: operation, tags: self.tags())
        case 2, 3: return .createSnapshot(of: volume, operation: operation, tags: self.tags())
        case 4: return .deleteVolume(volume)
        case 5: return .deleteSnapshot(snapshot)
        case 6: return .detachVolume(volume)
        case 7: return .createTags(self.tags(), volumes: [volume], snapshots: [])
        case 8: return .createTags(self.tags(), volumes: [], snapshots: [snapshot])
        case 9: return .deleteTags(["disk_name", "delete-date"], volumes: [volume], snapshots: [])
        case 10: return .deleteTags(["disk_name", "delete-date"], volumes: [], snapshots: [snapshot])
        case 11: return .volume(volume)
        case 12: return .snapshot(snapshot)
        case 13: return .volumes(ids: [volume, Int.random(in: 0...volumes, using: &self.dice)])
        case 14: return .listVolumes(self.filters())
        default: return .listSnapshots(self.filters(), of: Bool.random(using: &self.dice) ? volume : nil)
        }
    }

    private mutating func tags() -> Tags {
        var tags: Tags = [
            "gpu-dev-user": self.user, "disk_name": ["home", "work"].randomElement(using: &self.dice) ?? "",
        ]
        if Bool.random(using: &self.dice) {
            tags["delete-date"] = "2031-01-0\(Int.random(in: 1...3, using: &self.dice))"
        }
        return tags
    }

    private mutating func filters() -> [Filter] {
        switch Int.random(in: 0..<4, using: &self.dice) {
        case 0: [.tag("gpu-dev-user", self.user)]
        case 1: [.tag("gpu-dev-user", self.user), .tag("disk_name", "home")]
        case 2: [.tag("gpu-dev-user", self.user), .hasTag("delete-date")]
        default: [.tag("gpu-dev-user", self.user, "nobody"), .status("available", "pending", "completed")]
        }
    }
}

extension ModelComparison {
    /// One of the two that are compared, with what was made in it, in order.
    private final class Side: Sendable {
        let ec2: EC2Client
        let peer: EC2Peer?
        let volumes = Mutex<[VolumeID]>([])
        let snapshots = Mutex<[SnapshotID]>([])

        init(_ url: String, _ peer: EC2Peer?) throws {
            let environment = [
                "AWS_REGION": "eu-west-1", "AWS_ENDPOINT_URL": url, "AWS_ACCESS_KEY_ID": "test",
                "AWS_SECRET_ACCESS_KEY": "test", "AWS_RATE_FACTOR": "1e9",
            ]
            self.peer = peer
            self.ec2 = EC2Client(
                AWSClient(
                    configuration: try AWSConfiguration { environment[$0] },
                    http: HTTPClient(),
                    logger: Logger(label: "comparison") { _ in SwiftLogNoOpLogHandler() }
                )
            )
        }

        func answer(_ call: Call) async -> String {
            do throws(AWSError) {
                return try await self.outcome(of: call)
            } catch {
                return error.awsCode ?? "\(error)"
            }
        }

        private func outcome(of call: Call) async throws(AWSError) -> String {
            switch call {
            case .createVolume(let source, let size, let operation, let tags):
                let settings = VolumeSettings(
                    availabilityZone: "eu-west-1a",
                    size: size,
                    snapshotID: source.map { self.snapshot($0) }
                )
                let volume = try await self.ec2.createVolume(settings, operation: operation, tags: tags)
                self.volumes.withLock { $0.append(volume.id) }
                return self.words(volume, withState: false)
            case .createSnapshot(let volume, let operation, let tags):
                let snapshot = try await self.ec2.createSnapshot(
                    of: self.volume(volume),
                    description: "of \(volume)",
                    operation: operation,
                    tags: tags
                )
                self.snapshots.withLock { $0.append(snapshot.id) }
                self.peer?.model.withLock { $0.snapshots[snapshot.id.rawValue]?.state = "completed" }
                return self.words(snapshot, withState: false)
            case .deleteVolume(let volume): return "\(try await self.ec2.deleteVolume(self.volume(volume)))"
            case .deleteSnapshot(let snapshot):
                return "\(try await self.ec2.deleteSnapshot(self.snapshot(snapshot)))"
            case .detachVolume(let volume): return "\(try await self.ec2.detachVolume(self.volume(volume)))"
            case .createTags(let tags, let volumes, let snapshots):
                try await self.ec2.createTags(tags, on: volumes.map { self.volume($0) })
                try await self.ec2.createTags(tags, on: snapshots.map { self.snapshot($0) })
                return "tagged"
            case .deleteTags(let keys, let volumes, let snapshots):
                try await self.ec2.deleteTags(keys, from: volumes.map { self.volume($0) })
                try await self.ec2.deleteTags(keys, from: snapshots.map { self.snapshot($0) })
                return "untagged"
            case .volume(let volume):
                return try await self.ec2.volume(self.volume(volume)).map { self.words($0) } ?? "none"
            case .snapshot(let snapshot):
                return try await self.ec2.snapshot(self.snapshot(snapshot)).map { self.words($0) } ?? "none"
            case .volumes(let ids):
                let found = try await self.ec2.describeVolumes(ids: ids.map { self.volume($0) })
                return found.map { self.words($0) }.sorted().joined(separator: "; ")
            case .listVolumes(let filters):
                let found = try await self.ec2.describeVolumes(matching: filters)
                return found.map { self.words($0) }.sorted().joined(separator: "; ")
            case .listSnapshots(let filters, let volume):
                let all = filters + (volume.map { [.volume(self.volume($0))] } ?? [])
                let found = try await self.ec2.describeSnapshots(matching: all)
                return found.map { self.words($0) }.sorted().joined(separator: "; ")
            }
        }

        private func volume(_ number: Int) -> VolumeID {
            self.volumes.withLock { number < $0.count ? $0[number] : "vol-0123456789abcdef0" }
        }

        private func snapshot(_ number: Int) -> SnapshotID {
            self.snapshots.withLock { number < $0.count ? $0[number] : "snap-0123456789abcdef0" }
        }

        private func words(_ volume: Volume, withState: Bool = true) -> String {
            let number = self.volumes.withLock { $0.firstIndex(of: volume.id) } ?? -1
            let source = volume.snapshotID.map { id in self.snapshots.withLock { $0.firstIndex(of: id) } ?? -1
            }
            return
                "volume \(number) \(withState ? "\(volume.state)" : "") \(volume.size) \(volume.availabilityZone) "
                + "\(source.map { "from \($0)" } ?? "empty") \(Self.words(volume.tags))"
        }

        private func words(_ snapshot: Snapshot, withState: Bool = true) -> String {
            let number = self.snapshots.withLock { $0.firstIndex(of: snapshot.id) } ?? -1
            let volume = self.volumes.withLock { $0.firstIndex(of: snapshot.volumeID) } ?? -1
            return "snapshot \(number) of \(volume) "
                + (withState ? "\(snapshot.state) \(snapshot.progress) " : "")
                + "\(snapshot.volumeSize) \(snapshot.description) \(Self.words(snapshot.tags))"
        }

        private static func words(_ tags: Tags) -> String {
            tags.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: " ")
        }
    }
}
