import CLinux
import Synchronization

/// One operating-system thread over one `epoll`, which is a serial executor and a task executor at once.
///
/// Actors whose `unownedExecutor` is the loop, and tasks that prefer it, run on its thread together with the
/// descriptors and timers it watches, so that a reply from a socket resumes its task with no change of thread.
/// Nothing that runs here may block or compute for long. An iteration that takes longer than `lateness` is reported.
///
/// `@unchecked Sendable`: the stored state is either behind a `Mutex`, atomic, or touched only on the thread.
package final class EventLoop: SerialExecutor, TaskExecutor, @unchecked Sendable {
    /// The name of the loop and of its thread (the first 15 bytes).
    package let name: String

    private let epoll: CInt
    private let wakeUp: CInt
    private let thread = Atomic<UInt>(0)
    private let remote = Mutex(RemoteJobs())
    private let remoteJobCount = Atomic<Int>(0)
    private let turnStart = Atomic<UInt64>(0)
    private let lateness: Lateness

    // Only on the thread:
    private var ready: [UnownedJob] = []
    private var running: [UnownedJob] = []
    private var readyActions: [@Sendable () -> Void] = []
    private var watches: [UInt64: Watch] = [:]
    private var lastWatchToken: UInt64 = wakeUpToken
    private var timers = TimerHeap()
    private var turnEndActions: [() -> Void] = []

    /// Starts the thread.
    ///
    /// - Parameters:
    ///   - name: The name of the thread, as debuggers show it.
    ///   - lateness: Called when one iteration has taken too long.
    package init(name: String, lateness: Lateness = .ignored) {
        self.name = name
        self.lateness = lateness
        self.epoll = epoll_create1(CInt(EPOLL_CLOEXEC))
        self.wakeUp = eventfd(0, CInt(EFD_CLOEXEC | EFD_NONBLOCK))
        precondition(self.epoll >= 0 && self.wakeUp >= 0, "this process has no descriptors left for a loop")
        _ = clinux_epoll_control(self.epoll, EPOLL_CTL_ADD, self.wakeUp, clinux_epoll_in, wakeUpToken)
        OperatingSystemThread.start(named: name) { self.run() }
    }

    deinit {
        close(self.epoll)
        close(self.wakeUp)
    }

    /// Whether the caller runs on the thread of the loop.
    package var isCurrent: Bool { self.thread.load(ordering: .acquiring) == currentThread() }

    /// How many jobs other threads have put on the loop since it started; a measure of what hand-offs cost.
    package var remoteEnqueues: Int { self.remoteJobCount.load(ordering: .relaxed) }

    /// Ends the thread once the jobs that are already queued have run; later jobs are never run.
    package func stop() {
        self.remote.withLock { $0.isStopped = true }
        self.wake()
    }

    /// How long the current iteration has lasted; zero while it waits for something to do.
    package var busyTime: Duration {
        let start = self.turnStart.load(ordering: .relaxed)
        return start == 0 ? .zero : .nanoseconds(clinux_monotonic_nanoseconds() - start)
    }

    /// Queues `job`; without a lock or a system call when the caller is on the loop already.
    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        if self.isCurrent {
            self.ready.append(job)
            return
        }
        self.remoteJobCount.add(1, ordering: .relaxed)
        let wasEmpty = self.remote.withLock { remote in
            defer { remote.jobs.append(job) }
            return remote.jobs.isEmpty && remote.actions.isEmpty
        }
        if wasEmpty { self.wake() }
    }

    /// Runs `action` on the loop soon, never inside this call.
    package func execute(_ action: @escaping @Sendable () -> Void) {
        if self.isCurrent {
            self.readyActions.append(action)
            return
        }
        let wasEmpty = self.remote.withLock { remote in
            defer { remote.actions.append(action) }
            return remote.jobs.isEmpty && remote.actions.isEmpty
        }
        if wasEmpty { self.wake() }
    }

    package func asUnownedSerialExecutor() -> UnownedSerialExecutor { UnownedSerialExecutor(ordinary: self) }

    package func checkIsolated() {
        precondition(self.isCurrent, "this code belongs on the loop \(self.name)")
    }

    package func isIsolatingCurrentContext() -> Bool? { self.isCurrent }
}

extension EventLoop {
    /// Calls `action` on the loop whenever `descriptor` is ready for `interest`, until the watch is cancelled.
    ///
    /// Call on the loop only. Errors and hang-ups count as readable. The descriptor must stay open until the
    /// watch is cancelled.
    package func watch(_ descriptor: CInt, for interest: Interest, _ action: @escaping () -> Void) -> Watch {
        self.checkIsolated()
        self.lastWatchToken += 1
        let watch = Watch(descriptor: descriptor, token: self.lastWatchToken, loop: self, action: action)
        self.watches[watch.token] = watch
        let status = clinux_epoll_control(
            self.epoll,
            EPOLL_CTL_ADD,
            descriptor,
            interest.events,
            watch.token
        )
        precondition(status == 0, "epoll refused descriptor \(descriptor): errno \(clinux_errno())")
        return watch
    }

    /// Calls `action` on the loop once `delay` has passed, unless the timer is cancelled.
    ///
    /// Call on the loop only.
    @discardableResult
    package func after(_ delay: Duration, _ action: @escaping () -> Void) -> LoopTimer {
        self.checkIsolated()
        let timer = LoopTimer(
            deadline: clinux_monotonic_nanoseconds() + delay.wholeNanoseconds,
            action: action
        )
        self.timers.insert(timer)
        return timer
    }

    /// Calls `action` once, when all jobs that are ready now have run and before the loop sleeps.
    ///
    /// Call on the loop only. Output gathered during an iteration goes out here, in as few system calls as it takes.
    package func atTurnEnd(_ action: @escaping () -> Void) {
        self.checkIsolated()
        self.turnEndActions.append(action)
    }

    func update(_ watch: Watch, for interest: Interest) {
        self.checkIsolated()
        _ = clinux_epoll_control(self.epoll, EPOLL_CTL_MOD, watch.descriptor, interest.events, watch.token)
    }

    func remove(_ watch: Watch) {
        self.checkIsolated()
        self.watches[watch.token] = nil
        _ = clinux_epoll_control(self.epoll, EPOLL_CTL_DEL, watch.descriptor, 0, 0)
    }
}

extension EventLoop {
    private func wake() {
        var one: UInt64 = 1
        _ = write(self.wakeUp, &one, 8)
    }

    private func run() {
        self.thread.store(currentThread(), ordering: .releasing)
        var events = [epoll_event](repeating: epoll_event(), count: 64)
        while true {
            let count = epoll_wait(self.epoll, &events, CInt(events.count), self.waitMilliseconds())
            let turnStart = clinux_monotonic_nanoseconds()
            self.turnStart.store(turnStart, ordering: .relaxed)
            for index in 0..<Int(max(count, 0)) { self.dispatch(clinux_epoll_token(&events[index])) }
            self.fireTimers(dueAt: turnStart)
            let isStopped = self.takeRemoteJobs()
            self.runReadyJobs()
            self.endTurn()
            self.turnStart.store(0, ordering: .relaxed)
            self.lateness.report(.nanoseconds(clinux_monotonic_nanoseconds() - turnStart))
            if isStopped && !self.hasWork { return self.letGo() }
        }
    }

    /// Drops what will never be called, and whatever it holds.
    private func letGo() {
        self.timers = TimerHeap()
        self.watches = [:]
        self.turnEndActions = []
    }

    private var hasWork: Bool { !self.ready.isEmpty || !self.readyActions.isEmpty }

    /// How long `epoll_wait` may sleep: not at all while jobs are ready, else until the next timer.
    private func waitMilliseconds() -> CInt {
        if self.hasWork || !self.turnEndActions.isEmpty { return 0 }
        guard let deadline = self.timers.nextDeadline else { return -1 }
        let now = clinux_monotonic_nanoseconds()
        guard deadline > now else { return 0 }
        return CInt(min((deadline - now + 999_999) / 1_000_000, 60_000))
    }

    private func dispatch(_ token: UInt64) {
        guard token != wakeUpToken else {
            var counter: UInt64 = 0
            _ = read(self.wakeUp, &counter, 8)
            return
        }
        // A watch that an earlier event of the same iteration has cancelled is not here any more.
        self.watches[token]?.action()
    }

    private func fireTimers(dueAt now: UInt64) {
        while let timer = self.timers.removeFirst(dueAt: now) { timer.action() }
    }

    private func takeRemoteJobs() -> Bool {
        self.remote.withLock { remote in
            self.ready.append(contentsOf: remote.jobs)
            self.readyActions.append(contentsOf: remote.actions)
            remote.jobs.removeAll(keepingCapacity: true)
            remote.actions.removeAll(keepingCapacity: true)
            return remote.isStopped
        }
    }

    /// Runs what is ready, and what that makes ready, for at most a few rounds, so that sockets get their share.
    private func runReadyJobs() {
        for _ in 0..<8 where self.hasWork {
            let actions = self.readyActions
            self.readyActions.removeAll(keepingCapacity: true)
            for action in actions { action() }
            swap(&self.ready, &self.running)
            for job in self.running {
                job.runSynchronously(
                    isolatedTo: self.asUnownedSerialExecutor(),
                    taskExecutor: self.asUnownedTaskExecutor()
                )
            }
            self.running.removeAll(keepingCapacity: true)
        }
    }

    private func endTurn() {
        while !self.turnEndActions.isEmpty {
            let actions = self.turnEndActions
            self.turnEndActions.removeAll(keepingCapacity: true)
            for action in actions { action() }
        }
    }
}

/// What other threads hand to the loop.
private struct RemoteJobs {
    var jobs: [UnownedJob] = []
    var actions: [@Sendable () -> Void] = []
    var isStopped = false
}

/// The token of the descriptor that wakes the loop; watches count upwards from it.
private let wakeUpToken: UInt64 = 0

private func currentThread() -> UInt { UInt(pthread_self()) }
