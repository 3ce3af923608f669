import Synchronization
import Testing

@testable import AWS

@Suite(.timeLimit(.minutes(5))) struct DNSChangeBatchesTests {
    /// A Route 53 that takes its time until the test lets it answer, and refuses names that begin with `bad`.
    private final class Zone: Sendable {
        let sent: AsyncStream<[String]>
        private let sending: AsyncStream<[String]>.Continuation
        private let answered: AsyncStream<Void>
        private let answering: AsyncStream<Void>.Continuation

        init() {
            (self.sent, self.sending) = AsyncStream.makeStream()
            (self.answered, self.answering) = AsyncStream.makeStream()
        }

        func answer(_ times: Int = 1) { for _ in 0..<times { self.answering.yield() } }

        func take(_ order: DNSChangeOrder) async -> Result<ChangeInfo, AWSError> {
            let names = order.changes.map(\.recordSet.name)
            self.sending.yield(names.sorted())
            var answers = self.answered.makeAsyncIterator()
            await answers.next()
            guard !names.contains(where: { $0.hasPrefix("bad") }) else {
                return .failure(
                    AWSError(code: .invalid, operation: "x", message: "no", awsCode: "InvalidChangeBatch")
                )
            }
            return .success(ChangeInfo(id: names.sorted().joined(separator: "+"), isInSync: false))
        }
    }

    private func upsert(
        _ name: String,
        _ batches: DNSChangeBatches,
        _ zone: Zone,
        in id: HostedZoneID = "Z1",
        deadline: ContinuousClock.Instant = .inThirtySeconds
    ) async throws(AWSError) -> String {
        let order = DNSChangeOrder(changes: [.upsert(Self.record(name))], comment: nil, deadline: deadline)
        return try await batches.carryOut(order, in: id) { await zone.take($0) }.id
    }

    private static func record(_ name: String, _ values: [String] = ["192.0.2.1"]) -> RecordSet {
        RecordSet(name: name, type: .a, timeToLive: 60, values: values)
    }

    private func waitUntil(_ count: Int, waitIn batches: DNSChangeBatches) async {
        while batches.waitingCount(in: "Z1") < count { await Task.yield() }
    }

    @Test func `changes that come while one is under way go together, and other zones at once`() async throws
    {
        let (batches, zone) = (DNSChangeBatches(of: "x"), Zone())
        var sent = zone.sent.makeAsyncIterator()
        async let first = self.upsert("a", batches, zone)
        #expect(await sent.next() == ["a"])
        async let second = self.upsert("b", batches, zone)
        async let third = self.upsert("c", batches, zone)
        await self.waitUntil(2, waitIn: batches)
        async let elsewhere = self.upsert("d", batches, zone, in: "Z2")
        #expect(await sent.next() == ["d"])
        zone.answer(2)
        #expect(try await (first, elsewhere) == ("a", "d"))
        #expect(await sent.next() == ["b", "c"])
        zone.answer()
        #expect(try await (second, third) == ("b+c", "b+c"))
    }

    @Test func `a bad one cannot block the others`() async throws {
        let (batches, zone) = (DNSChangeBatches(of: "x"), Zone())
        var sent = zone.sent.makeAsyncIterator()
        async let first = self.upsert("a", batches, zone)
        #expect(await sent.next() == ["a"])
        async let good = self.upsert("b", batches, zone)
        let bad = Task { try await self.upsert("bad", batches, zone) }
        async let better = self.upsert("c", batches, zone)
        await self.waitUntil(3, waitIn: batches)
        zone.answer(5)
        #expect(try await (first, good, better) == ("a", "b", "c"))
        let error = await #expect(throws: AWSError.self) { _ = try await bad.value }
        #expect(error?.awsCode == "InvalidChangeBatch")
        #expect(await sent.next() == ["b", "bad", "c"])
    }

    @Test func `who has given up before it was sent changes nothing`() async throws {
        let (batches, zone) = (DNSChangeBatches(of: "x"), Zone())
        var sent = zone.sent.makeAsyncIterator()
        async let first = self.upsert("a", batches, zone)
        #expect(await sent.next() == ["a"])
        let error = await #expect(throws: AWSError.self) {
            _ = try await self.upsert("b", batches, zone, deadline: .in(.milliseconds(1)))
        }
        #expect(error?.code == .deadlineExceeded)
        async let third = self.upsert("c", batches, zone)
        await self.waitUntil(1, waitIn: batches)
        zone.answer(2)
        #expect(try await (first, third) == ("a", "c"))
        #expect(await sent.next() == ["c"])
    }

    @Test func `who gives up a deletion that has been sent hears that its outcome is unknown`() async throws {
        let (batches, zone) = (DNSChangeBatches(of: "x"), Zone())
        var sent = zone.sent.makeAsyncIterator()
        async let first = self.upsert("a", batches, zone)
        #expect(await sent.next() == ["a"])
        let order = DNSChangeOrder(changes: [.delete(Self.record("b"))], deadline: .inThirtySeconds)
        let deletion = Task { try await batches.carryOut(order, in: "Z1") { await zone.take($0) } }
        await self.waitUntil(1, waitIn: batches)
        zone.answer()
        #expect(await sent.next() == ["b"])
        deletion.cancel()
        let error = await #expect(throws: AWSError.self) { _ = try await deletion.value }
        #expect(error?.code == .unknownOutcome)
        zone.answer()
        #expect(try await first == "a")
    }

    // Which go together

    private func batches(_ orders: [[RecordChange]]) -> [[Int]] {
        var queue = DNSChangeQueue()
        _ = queue.begin()
        for (number, changes) in orders.enumerated() {
            queue.add(number, DNSChangeOrder(changes: changes, deadline: .now))
        }
        var batches: [[Int]] = []
        while true {
            let batch = queue.next().map(\.number)
            guard !batch.isEmpty else { return batches }
            batches.append(batch)
        }
    }

    @Test func `a name is changed for one caller at a time, in the order of their coming`() {
        let (a, b) = (RecordChange.upsert(Self.record("a")), RecordChange.upsert(Self.record("B.")))
        let c = RecordChange.upsert(Self.record("c"))
        #expect(self.batches([[a], [a, b], [.upsert(Self.record("b"))], [c]]) == [[0, 3], [1], [2]])
    }

    @Test func `what may not be repeated stays apart from what may`() {
        let (a, b) = (RecordChange.upsert(Self.record("a")), RecordChange.delete(Self.record("b")))
        let (c, d) = (RecordChange.upsert(Self.record("c")), RecordChange.create(Self.record("d")))
        #expect(self.batches([[a], [b], [c], [d]]) == [[0, 2], [1, 3]])
    }

    @Test func `no batch is larger than Route 53 takes`() {
        let upserts = (0..<501).map { [RecordChange.upsert(Self.record("n\($0)"))] }
        #expect(self.batches(upserts).map(\.count) == [500, 1])
        let long = String(repeating: "x", count: 9000)
        let texts = (0..<4).map { [RecordChange.create(Self.record("n\($0)", [long]))] }
        #expect(self.batches(texts) == [[0, 1, 2], [3]])
    }
}
