import Foundation
import Testing

@testable import Capacity

@Suite struct QueueForecastTests {
    private let now = Date(timeIntervalSince1970: 1_750_000_000)

    private func machine(_ name: String, free: Int, of all: Int = 8, isSchedulable: Bool = true) -> Machine {
        Machine(
            name: name,
            type: "h100",
            instanceType: nil,
            isSchedulable: isSchedulable,
            capacity: all,
            allocatable: all,
            used: all - free,
            reservations: 0
        )
    }

    private func holding(_ machine: String, _ gpus: Int, minutes: Double) -> QueueForecast.Holding {
        QueueForecast.Holding(machine: machine, gpus: gpus, end: self.now.addingTimeInterval(minutes * 60))
    }

    private func forecast(_ machines: [Machine], _ holdings: [QueueForecast.Holding] = []) -> QueueForecast {
        QueueForecast(machines: machines, holdings: holdings, gpusPerMachine: 8, now: self.now)
    }

    private func request(_ gpus: Int, hours: Double = 4) -> QueueForecast.Request {
        QueueForecast.Request(gpus: gpus, duration: hours * 3600)
    }

    @Test func `who finds enough on one machine is served now`() {
        var forecast = self.forecast([self.machine("a", free: 2), self.machine("b", free: 4)])
        #expect(forecast.serve(self.request(4)) == 0)
    }

    @Test func `what is free here and there is not enough for one machine`() {
        let held = [self.holding("a", 6, minutes: 30), self.holding("b", 6, minutes: 50)]
        var forecast = self.forecast([self.machine("a", free: 2), self.machine("b", free: 2)], held)
        #expect(forecast.serve(self.request(4)) == 1800.0)
    }

    @Test func `who wants several machines waits for as many whole ones`() {
        let held = [self.holding("a", 8, minutes: 30), self.holding("b", 8, minutes: 50)]
        let machines = [self.machine("a", free: 0), self.machine("b", free: 0), self.machine("c", free: 8)]
        var forecast = self.forecast(machines, held)
        #expect(forecast.serve(self.request(24)) == 3000.0)
    }

    @Test func `an end that has passed counts as the grace, and no end at all as never`() {
        var forecast = self.forecast([self.machine("a", free: 0)], [self.holding("a", 8, minutes: -60)])
        #expect(forecast.serve(self.request(8)) == QueueForecast.grace)
        forecast = self.forecast([self.machine("a", free: 0)])
        #expect(forecast.serve(self.request(1)) == nil)
        forecast = self.forecast([])
        #expect(forecast.serve(self.request(1)) == nil)
    }

    @Test func `what is held on a machine that takes nobody is not waited for`() {
        let held = [self.holding("a", 8, minutes: 10), self.holding("elsewhere", 8, minutes: 5)]
        var forecast = self.forecast([self.machine("a", free: 0, isSchedulable: false)], held)
        #expect(forecast.serve(self.request(1)) == nil)
    }

    @Test func `the next one waits for the end of those before`() {
        var forecast = self.forecast([self.machine("a", free: 0)], [self.holding("a", 8, minutes: 30)])
        #expect(forecast.serve(self.request(8, hours: 1)) == 1800.0)
        #expect(forecast.serve(self.request(8, hours: 2)) == 5400.0)
        #expect(forecast.serve(self.request(4)) == 12600.0)
    }

    @Test func `nobody knows when what is held without an end becomes free`() {
        var forecast = self.forecast([self.machine("a", free: 8)], [])
        #expect(forecast.serve(.init(gpus: 8, duration: nil)) == 0)
        #expect(forecast.serve(self.request(1)) == nil)
    }

    @Test func `nobody waits behind a request that can never be met`() {
        var forecast = self.forecast([self.machine("a", free: 0)], [self.holding("a", 8, minutes: 30)])
        #expect(forecast.serve(self.request(16)) == nil)
        #expect(forecast.serve(self.request(8)) == 1800.0)
    }

    @Test(
        arguments: [
            (nil, "Position 3 in the queue for 2 t4 GPUs: it is not known when there will be enough"),
            (0, "Position 3 in the queue for 2 t4 GPUs: there is enough now"),
            (1, "Position 3 in the queue for 2 t4 GPUs: about 1 minute"),
            (95, "Position 3 in the queue for 2 t4 GPUs: about 95 minutes"),
        ] as [(Int?, String)]
    )
    func `a person is told in one sentence`(minutes: Int?, text: String) {
        let position = QueuePosition(reservation: "r", position: 3, gpus: 2, type: "t4", minutes: minutes)
        #expect(position.text == text)
    }
}
