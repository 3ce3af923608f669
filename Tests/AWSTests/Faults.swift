import Calls
import Foundation
import HTTP
import HTTPPeers
import Logging
import Synchronization

@testable import AWS

/// A scripted server in the place of AWS, and a client of it whose pauses take no time but are written down.
final class Faults: Sendable {
    let peer: ScriptedPeer
    let client: AWSClient
    private let pauseLog: PauseLog

    init(
        _ steps: [ScriptedPeer.Step],
        credentials: (any CredentialProvider)? = nil,
        now: @escaping @Sendable () -> Date = { Date() }
    ) async throws {
        let peer = try await ScriptedPeer(steps)
        let log = PauseLog()
        var configuration = try AWSConfiguration {
            ["AWS_REGION": "eu-west-1", "AWS_ENDPOINT_URL": "\(peer.url)/prefix/"][$0]
        }
        configuration.now = now
        configuration.retries.transient.jitter = 1...1
        configuration.retries.throttled.jitter = 1...1
        configuration.retries.sleep = { duration in
            log.add(duration)
            try Task.checkCancellation()
        }
        self.peer = peer
        self.pauseLog = log
        self.client = AWSClient(
            configuration: configuration,
            http: HTTPClient(),
            logger: Logger(label: "test"),
            credentials: credentials
                ?? StaticCredentials(AWSCredentials(accessKeyID: "AKID", secretAccessKey: "secret"))
        )
    }

    var pauses: [Duration] { self.pauseLog.pauses }

    static func ec2Error(
        _ code: String,
        _ message: String = "said AWS",
        status: Int = 400,
        headers: [String: String] = [:]
    ) -> ScriptedPeer.Step {
        .init(
            status,
            """
            <?xml version="1.0" encoding="UTF-8"?>
            <Response><Errors><Error><Code>\(code)</Code><Message>\(message)</Message></Error></Errors>\
            <RequestID>req-1</RequestID></Response>
            """,
            headers: headers
        )
    }

    static func volumes(_ ids: [String], next: String = "") -> ScriptedPeer.Step {
        let items = ids.map { id in
            """
            <item><volumeId>\(id)</volumeId><size> 10 </size><status>available</status>\
            <createTime>2025-01-02T03:04:05.678901Z</createTime><attachmentSet/></item>
            """
        }
        let token = next.isEmpty ? "<nextToken/>" : "<nextToken>\(next)</nextToken>"
        return .init(
            200,
            """
            <DescribeVolumesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">
            <volumeSet>\(items.joined())</volumeSet>\(token)</DescribeVolumesResponse>
            """
        )
    }

    static let snapshot = ScriptedPeer.Step(
        200,
        """
        <CreateSnapshotResponse><snapshotId>snap-1</snapshotId><volumeId>vol-1</volumeId><status>pending</status>
        <startTime>2025-01-02T03:04:05.000Z</startTime><volumeSize>10</volumeSize></CreateSnapshotResponse>
        """
    )
    static let noSnapshots = ScriptedPeer.Step(
        200,
        "<DescribeSnapshotsResponse><snapshotSet/></DescribeSnapshotsResponse>"
    )
}

private final class PauseLog: Sendable {
    private let log = Mutex<[Duration]>([])

    var pauses: [Duration] { self.log.withLock { $0 } }

    func add(_ pause: Duration) { self.log.withLock { $0.append(pause) } }
}
