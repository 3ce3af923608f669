import Calls
import Foundation
import HTTPPeers
import Testing

@testable import AWS

@Suite(.timeLimit(.minutes(5))) struct RetryTests {
    private func error<Value>(_ body: () async throws -> Value) async throws -> AWSError {
        try #require(await #expect(throws: AWSError.self) { _ = try await body() })
    }

    @Test func `a throttled read is tried four times, with pauses that double`() async throws {
        let throttled = Faults.ec2Error("RequestLimitExceeded", status: 503)
        let faults = try await Faults([throttled, throttled, throttled, Faults.volumes(["vol-1"])])
        let found = try await EC2Client(faults.client).describeVolumes(matching: [])
        #expect(found.map(\.id) == ["vol-1"] && found.first?.size == 10)
        #expect(faults.pauses.prefix(3).contains(.seconds(1)) && faults.pauses.contains(.seconds(4)))
        #expect(try await faults.peer.received().count == 4)
    }

    @Test func `a fifth try is not made, and the error says all but secrets`() async throws {
        let throttled = Faults.ec2Error("Throttling", "slow down, please", status: 503)
        let faults = try await Faults(Array(repeating: throttled, count: 5))
        let error = try await self.error { try await EC2Client(faults.client).describeVolumes(matching: []) }
        #expect(error.code == .throttled && error.isRetryable)
        #expect(
            error.description
                == "ec2.DescribeVolumes throttled: slow down, please (Throttling, status 503, request req-1)"
        )
        #expect(try await faults.peer.received().count == 4)
    }

    @Test(arguments: [
        ScriptedPeer.Step(503, "<html><body>unavailable</body></html>"), .init(500),
        .init(cut: .beforeRequest),
        .init(cut: .afterRequest), .init(200, "<DescribeVolumesResponse><volumeSet><item>"),
        .init(200, "<DescribeVolumesResponse><volumeSet><item/>", cut: .insideBody),
        .init(200, "<Other/>"), .init(200, "<DescribeVolumesResponse/>"),
        .init(400, "<Response><Errors><Error><Code>Thr"),
        .init(200, "<!DOCTYPE a [<!ENTITY b 'c'>]><DescribeVolumesResponse/>"),
    ])
    func `a read is repeated after what passes`(step: ScriptedPeer.Step) async throws {
        let faults = try await Faults([step, Faults.volumes(["vol-1"])])
        #expect(try await EC2Client(faults.client).describeVolumes(matching: []).count == 1)
        #expect(faults.pauses == [.milliseconds(100)])
    }

    @Test(arguments: [
        ScriptedPeer.Step(500), .init(502, "<html/>"), .init(503), .init(400, "<html/>"),
        .init(200, "<html/>"),
        .init(cut: .afterRequest), .init(200, "<CreateSnap"),
    ])
    func `a snapshot that may have begun is not begun again`(step: ScriptedPeer.Step) async throws {
        let faults = try await Faults([Faults.noSnapshots, step, Faults.snapshot])
        let error = try await self.error {
            try await EC2Client(faults.client)
                .createSnapshot(of: "vol-1", description: "", operation: "job", tags: [:])
        }
        #expect(error.code == .unknownOutcome && error.isRetryable && error.retryAfter == .seconds(15))
        #expect(try await faults.peer.received().count == 2)
    }

    @Test(arguments: [
        Faults.ec2Error("Unavailable", status: 503), Faults.ec2Error("RequestLimitExceeded", status: 503),
    ])
    func `a snapshot that has certainly not begun is tried again`(step: ScriptedPeer.Step) async throws {
        let faults = try await Faults([Faults.noSnapshots, step, Faults.snapshot])
        let snapshot = try await EC2Client(faults.client)
            .createSnapshot(of: "vol-1", description: "", operation: "job", tags: [:])
        #expect(snapshot.id == "snap-1" && snapshot.state == .pending)
    }

    @Test func `a volume whose answer was lost is asked for again with the same token`() async throws {
        let volume = ScriptedPeer.Step(
            200,
            """
            <CreateVolumeResponse><volumeId>vol-9</volumeId><size>8</size><status>creating</status>
            <createTime>2025-01-02T03:04:05Z</createTime></CreateVolumeResponse>
            """
        )
        let faults = try await Faults([Faults.volumes([]), .init(cut: .afterRequest), volume])
        let made = try await EC2Client(faults.client).createVolume(
            VolumeSettings(availabilityZone: "eu-west-1a", size: 8),
            operation: "job",
            tags: [:]
        )
        #expect(made.id == "vol-9" && made.state == .creating)
        let bodies = try await faults.peer.received().map(\.body)
        #expect(bodies.count == 3 && bodies[1] == bodies[2] && bodies[1].contains("&ClientToken="))
    }

    @Test func `a burned token gives way to the next generation`() async throws {
        let volume = ScriptedPeer.Step(
            200,
            """
            <CreateVolumeResponse><volumeId>vol-9</volumeId><size>8</size><status>creating</status>
            <createTime>2025-01-02T03:04:05Z</createTime></CreateVolumeResponse>
            """
        )
        let none = Faults.volumes([])
        let faults = try await Faults([none, Faults.ec2Error("IdempotentParameterMismatch"), none, volume])
        _ = try await EC2Client(faults.client).createVolume(
            VolumeSettings(availabilityZone: "eu-west-1a", size: 8),
            operation: "job",
            tags: [:]
        )
        let bodies = try await faults.peer.received().map(\.body)
        #expect(bodies[1] != bodies[3])
    }

    @Test func `a change that waits for another is tried again, a refused one is not`() async throws {
        let busy = ScriptedPeer.Step(
            400,
            """
            <ErrorResponse xmlns="https://route53.amazonaws.com/doc/2013-04-01/"><Error><Type>Sender</Type>
            <Code>PriorRequestNotComplete</Code><Message>wait</Message></Error><RequestId>r</RequestId></ErrorResponse>
            """
        )
        let refused = ScriptedPeer.Step(
            400,
            """
            <InvalidChangeBatch xmlns="https://route53.amazonaws.com/doc/2013-04-01/"><Messages>
            <Message>first &amp; worst</Message><Message>second</Message></Messages><RequestId>r</RequestId>
            </InvalidChangeBatch>
            """
        )
        let faults = try await Faults(Array(repeating: busy, count: 5) + [refused])
        let set = RecordSet(name: "a.example.org", type: .a, timeToLive: 60, values: ["192.0.2.1"])
        let error = try await self.error {
            try await Route53Client(faults.client).changeRecordSets([.create(set)], in: "Z1")
        }
        #expect(error.awsCode == "InvalidChangeBatch" && error.code == .invalid && !error.isRetryable)
        #expect(error.messages == ["first & worst", "second"])
        let paths = try await faults.peer.received().map(\.path)
        #expect(paths == Array(repeating: "/prefix/2013-04-01/hostedzone/Z1/rrset/", count: 6))
    }

    @Test(arguments: [
        ("UnauthorizedOperation", 403, AWSError.Code.accessDenied),
        ("VolumeLimitExceeded", 400, .limitExceeded),
        ("InvalidParameterValue", 400, .invalid), ("InvalidVolume.NotFound", 400, .notFound),
    ])
    func `what would fail again is not repeated`(word: String, status: Int, code: AWSError.Code) async throws
    {
        let message = "You may not. Encoded authorization failure message: c2VjcmV0"
        let faults = try await Faults([Faults.ec2Error(word, message, status: status), Faults.volumes([])])
        let error = try await self.error { try await EC2Client(faults.client).describeVolumes(matching: []) }
        #expect(error.code == code && error.awsCode == word && error.status == status && !error.isRetryable)
        #expect(error.message.hasPrefix("You may not.") && !error.description.contains("c2VjcmV0"))
        #expect(try await faults.peer.received().count == 1)
    }

    @Test func `a pause that AWS asks for is kept, but never past the deadline`() async throws {
        let soon = Faults.ec2Error("Throttling", status: 400, headers: ["x-amz-retry-after": "2500"])
        let late = Faults.ec2Error("Throttling", status: 429, headers: ["Retry-After": "120"])
        let faults = try await Faults([soon, late, Faults.volumes([])])
        let error = try await self.error { try await EC2Client(faults.client).describeVolumes(matching: []) }
        #expect(faults.pauses.first == .milliseconds(2500) && error.retryAfter == .seconds(120))
        #expect(!faults.pauses.contains(.seconds(120)))
        #expect(try await faults.peer.received().count == 2)
    }

    @Test(arguments: [
        ("Retry-After", "1000000000"), ("Retry-After", "9300000000000000"),
        ("x-amz-retry-after", "9300000000000000000"),
    ])
    func `a pause that nobody would wait for is cut`(field: String, text: String) async throws {
        let faults = try await Faults([Faults.ec2Error("Throttling", status: 429, headers: [field: text])])
        let error = try await self.error { try await EC2Client(faults.client).describeVolumes(matching: []) }
        #expect(error.retryAfter == .seconds(900))
    }

    @Test func `after the deadline nothing is sent`() async throws {
        let faults = try await Faults([])
        let error = try await self.error {
            try await EC2Client(faults.client).describeVolumes(matching: [], deadline: .now)
        }
        #expect(error.code == .deadlineExceeded)
        #expect(try await faults.peer.received().isEmpty)
    }

    @Test func `a slow answer ends at the deadline`() async throws {
        let faults = try await Faults([.init(delay: 20)])
        let error = try await self.error {
            try await EC2Client(faults.client).describeVolumes(
                matching: [],
                deadline: .in(.milliseconds(200))
            )
        }
        #expect(error.code == .deadlineExceeded && error.isRetryable)
    }

    @Test func `cancelling a job ends its call`() async throws {
        let faults = try await Faults([.init(delay: 20)])
        let task = Task { try await EC2Client(faults.client).describeVolumes(matching: []) }
        while try await faults.peer.received().isEmpty { await Task.yield() }
        task.cancel()
        #expect(await #expect(throws: AWSError.self) { try await task.value }?.code == .cancelled)
    }

    @Test func `an empty page with a token is followed, a token that comes again is an error`() async throws {
        let faults = try await Faults([
            Faults.volumes([], next: "t1"), Faults.volumes(["vol-1"], next: "t2"), Faults.volumes(["vol-2"]),
        ])
        let found = try await EC2Client(faults.client).describeVolumes(matching: [])
        #expect(found.map(\.id) == ["vol-1", "vol-2"])
        #expect(try await faults.peer.received()[1].body.contains("NextToken=t1"))
        let loop = try await Faults([Faults.volumes([], next: "t1"), Faults.volumes([], next: "t1")])
        let error = try await self.error { try await EC2Client(loop.client).describeVolumes(matching: []) }
        #expect(error.code == .malformedResponse)
    }

    @Test func `a clock that is wrong is corrected from the answer`() async throws {
        let formatter = DateFormatter()
        formatter.locale = Locale(identifier: "en_US_POSIX")
        formatter.timeZone = TimeZone(identifier: "GMT")
        formatter.dateFormat = "EEE, dd MMM yyyy HH:mm:ss 'GMT'"
        let ours = Date(timeIntervalSince1970: 1_709_251_199)
        let theirs = ours.addingTimeInterval(3600)
        let skewed = Faults.ec2Error(
            "RequestExpired",
            status: 400,
            headers: ["Date": formatter.string(from: theirs)]
        )
        let faults = try await Faults([skewed, Faults.volumes([])], now: { ours })
        _ = try await EC2Client(faults.client).describeVolumes(matching: [])
        #expect(
            try await faults.peer.received().map { $0.headers["x-amz-date"] } == [
                "20240229T235959Z", "20240301T005959Z",
            ]
        )
    }

    @Test func `a clock that is right again is believed again`() {
        let operation = AWSOperation(.sts, "GetCallerIdentity", .read)
        let refusal = AWSError(
            code: .credentials,
            operation: "x",
            message: "",
            awsCode: "SignatureDoesNotMatch"
        )
        let stale = ClockReading(skew: .seconds(1), assumed: .seconds(-1200))
        #expect(
            AttemptFailure(refusal, of: operation, clock: stale).remedies == [.correctClock(.seconds(1))]
        )
        let right = ClockReading(skew: .seconds(-1200), assumed: .seconds(-1201))
        #expect(AttemptFailure(refusal, of: operation, clock: right).remedies.isEmpty)
    }

    @Test(arguments: [
        (
            "UnauthorizedOperation",
            "ec2.CreateSnapshot accessDenied: said AWS (it needs ec2:CreateSnapshot, ec2:CreateTags)"
        ),
        ("OperationNotPermitted", "ec2.CreateSnapshot accessDenied: said AWS"),
    ])
    func `a refusal names the permissions that are needed, where that is the reason`(
        word: String,
        text: String
    )
        async throws
    {
        let faults = try await Faults([Faults.noSnapshots, Faults.ec2Error(word, status: 403)])
        let error = try await self.error {
            try await EC2Client(faults.client).createSnapshot(
                of: "vol-1",
                description: "",
                operation: "1",
                tags: [:]
            )
        }
        #expect(error.description == "\(text) (\(word), status 403, request req-1)")
    }

    @Test func `expired keys are renewed once`() async throws {
        let expired = Faults.ec2Error("ExpiredToken", status: 400)
        let keys = CountingCredentials()
        let faults = try await Faults([expired, Faults.volumes([]), expired, expired], credentials: keys)
        _ = try await EC2Client(faults.client).describeVolumes(matching: [])
        let used = try await faults.peer.received().map {
            $0.headers["authorization"]?.contains("Credential=AKID2/")
        }
        #expect(used == [false, true])
        let error = try await self.error { try await EC2Client(faults.client).describeVolumes(matching: []) }
        #expect(error.code == .credentials && error.isRetryable)
        #expect(try await faults.peer.received().count == 4)
    }

    @Test func `large pages are read whole`() async throws {
        let ids = (0..<1000).map { "vol-\($0)" }
        let faults = try await Faults([Faults.volumes(ids)])
        #expect(try await EC2Client(faults.client).describeVolumes(matching: []).map(\.id.rawValue) == ids)
    }
}
