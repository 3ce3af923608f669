import Foundation
import Jobs
import Platform
import Testing

@testable import Reservations

@Suite struct `A live reservation` {
    private let now = Date(timeIntervalSince1970: 1_900_000_000)

    private func reservation(
        _ status: ReservationStatus = .active,
        created: Double = -3600,
        launched: Double? = -3600,
        minutesLeft: Double? = 600,
        given: Set<ExpiryWarning> = [],
        history: String = "[]"
    ) throws -> LiveReservation {
        LiveReservation(
            id: try #require(ReservationID(wire: "r-1")),
            status: status,
            pod: "gpu-dev-r-1",
            createTime: self.now + created,
            launchTime: launched.map { self.now + $0 },
            expiry: minutesLeft.map { self.now + $0 * 60 },
            warningsGiven: given,
            lastOutOfMemory: nil,
            history: StatusHistory(history)
        )
    }

    @Test(
        arguments: [
            (31, nil), (30, .thirty), (29.9, .thirty), (15.1, .thirty), (15, .fifteen), (14, .fifteen),
            (5, .five), (4, .five), (0.1, .five), (0, nil), (-1, nil),
        ] as [(Double, ExpiryWarning?)]
    )
    func `is warned with the nearest of 30, 15 and 5 minutes`(_ left: Double, _ warning: ExpiryWarning?)
        throws
    {
        let finding = try self.reservation(minutesLeft: left).finding(at: self.now, .present)
        #expect(finding == warning.map { .nearlyOver($0) } ?? .fine)
    }

    @Test(arguments: [(30.0, ExpiryWarning.thirty), (14, .fifteen), (4, .five)])
    func `is warned once`(_ left: Double, _ given: ExpiryWarning) throws {
        let warned = try self.reservation(minutesLeft: left, given: [given])
        #expect(warned.finding(at: self.now, .present) == .fine)
    }

    @Test func `at four minutes gets one warning, which settles all others`() {
        #expect(Set(ExpiryWarning.five.settled) == Set(ExpiryWarning.allCases))
        #expect(ExpiryWarning.thirty.settled == [.thirty])
        #expect(
            ExpiryWarning.allCases.map(\.key) == [
                "30min_warning_sent", "15min_warning_sent", "5min_warning_sent",
            ]
        )
    }

    @Test(arguments: [(-1.99, false), (-2.01, true)])
    func `is over two minutes after its time`(_ left: Double, _ isOver: Bool) throws {
        #expect(try self.reservation(minutesLeft: left).finding(at: self.now, .unknown).isOver == isOver)
    }

    @Test(arguments: [LiveReservation.PodSight.present, .absent, .unknown])
    func `without a time of expiry is never over`(_ sight: LiveReservation.PodSight) throws {
        #expect(try self.reservation(minutesLeft: nil).finding(at: self.now, sight) == .withoutExpiry)
    }

    @Test func `without its pod is looked at again, but not if the pods could not be read`() throws {
        let reservation = try self.reservation()
        #expect(reservation.finding(at: self.now, .absent) == .withoutPod)
        #expect(reservation.finding(at: self.now, .unknown) == .fine)
        #expect(try self.reservation(launched: -590).finding(at: self.now, .absent) == .fine)
        let unlaunched = try self.reservation(created: -590, launched: nil)
        #expect(unlaunched.finding(at: self.now, .absent) == .fine)
    }

    @Test(arguments: [ReservationStatus.pending, .queued])
    func `that was not served for two days is over`(_ status: ReservationStatus) throws {
        let fresh = try self.reservation(status, created: -48 * 3600 + 1, launched: nil, minutesLeft: nil)
        #expect(fresh.finding(at: self.now, .absent) == .fine)
        let stale = try self.reservation(status, created: -48 * 3600 - 1, launched: nil, minutesLeft: nil)
        guard case .over(.cancelled, _) = stale.finding(at: self.now, .absent) else {
            Issue.record("it goes on")
            return
        }
    }

    @Test func `fails after an hour of preparation, which need not have begun at once`() throws {
        let long = try self.reservation(.preparing, created: -3601, launched: nil, minutesLeft: nil)
        guard case .over(.failed, _) = long.finding(at: self.now, .absent) else {
            Issue.record("it goes on")
            return
        }
        let begun = (self.now - 60).formatted(.iso8601)
        let queued = try self.reservation(
            .preparing,
            created: -7200,
            launched: nil,
            minutesLeft: nil,
            history: #"[{"status": "queued"}, 7, {"status": "preparing", "timestamp": "\#(begun)"}]"#
        )
        #expect(queued.finding(at: self.now, .absent) == .fine)
    }

    @Test(arguments: ["", "null", "{}", "[", "[1, null, []]", #"[{"status": 3, "timestamp": {}}]"#])
    func `has a history that may hold anything`(_ json: String) {
        #expect(StatusHistory(json).time(of: .preparing) == nil)
        #expect(!StatusHistory(json).hasNoted("gpu-dev", restarts: 0))
    }
}
