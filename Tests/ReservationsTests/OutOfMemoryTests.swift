import Foundation
import Kubernetes
import Testing

@testable import Reservations

@Suite struct `Containers that ran out of memory` {
    private let then = Date(timeIntervalSince1970: 1_900_000_000)

    private func end(_ time: Date?, reason: String = "OOMKilled") -> ContainerStatus.Termination {
        ContainerStatus.Termination(reason: reason, exitCode: 137, finishTime: time)
    }

    private func pod(_ statuses: ContainerStatus...) -> Pod {
        var pod = Pod(name: "gpu-dev-1", namespace: "gpu-dev", uid: "u")
        pod.containerStatuses = statuses
        return pod
    }

    private func found(in pod: Pod, since last: Date?, history: String = "[]") -> [OutOfMemory] {
        OutOfMemory.found(in: pod, since: last, StatusHistory(history))
    }

    @Test func `are found in all containers, in their last run and in the one before`() {
        let pod = self.pod(
            ContainerStatus(
                name: "a",
                termination: self.end(self.then + 9),
                lastTermination: self.end(self.then + 2)
            ),
            ContainerStatus(name: "b", lastTermination: self.end(self.then + 5)),
            ContainerStatus(name: "c", termination: self.end(self.then + 7, reason: "Error"))
        )
        let found = self.found(in: pod, since: nil)
        #expect(found.map(\.containers) == [["a"], ["b"], ["a"]])
        #expect(found.map(\.time) == [self.then + 2, self.then + 5, self.then + 9])
    }

    @Test func `are counted once, by the instant and not by its text`() {
        let pod = self.pod(ContainerStatus(name: "a", lastTermination: self.end(self.then)))
        #expect(self.found(in: pod, since: self.then - 1).count == 1)
        #expect(self.found(in: pod, since: self.then).isEmpty)
        #expect(self.found(in: pod, since: self.then + 1).isEmpty)
    }

    @Test func `at the same moment are counted together`() {
        let pod = self.pod(
            ContainerStatus(name: "b", lastTermination: self.end(self.then)),
            ContainerStatus(name: "a", lastTermination: self.end(self.then))
        )
        #expect(self.found(in: pod, since: nil).map(\.containers) == [["a", "b"]])
    }

    @Test func `at an unknown time are told apart by their restarts`() {
        let pod = self.pod(ContainerStatus(name: "a", restartCount: 3, lastTermination: self.end(nil)))
        #expect(self.found(in: pod, since: self.then).map(\.restarts) == [3])
        let noted = #"[{"status": "out-of-memory", "container": "a", "restart_count": 3}]"#
        #expect(self.found(in: pod, since: self.then, history: noted).isEmpty)
    }
}
