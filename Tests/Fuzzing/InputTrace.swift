import Foundation
import Glibc
import Synchronization

/// The input that a thread is at, kept where a signal handler can read it.
///
/// A trap, a fault of memory, or an input that takes longer than a minute ends the process; before that its decoder,
/// seed, number and bytes in base64 are written to standard error. Belongs to the thread that made it.
final class InputTrace {
    private let page: UnsafeMutablePointer<Page>
    private let progress: Progress

    init(_ decoder: String, seed: UInt64) {
        self.page = .allocate(capacity: 1)
        self.page.initialize(to: Page(decoder: decoder, seed: seed))
        self.progress = Progress(thread: pthread_self())
        _ = handlers
        pthread_setspecific(currentPage, self.page)
        self.page.pointee.useOwnStackForSignals(true)
        self.progress.watch()
    }

    deinit {
        self.progress.isOver.store(true, ordering: .relaxed)
        self.page.pointee.useOwnStackForSignals(false)
        pthread_setspecific(currentPage, nil)
        self.page.pointee.free()
        self.page.deallocate()
    }

    func note(_ iteration: UInt64, _ input: [UInt8]) {
        self.page.pointee.set(iteration, input)
        self.progress.iteration.store(iteration, ordering: .relaxed)
    }
}

/// How far a run has come, for the thread that watches it.
private final class Progress: Sendable {
    let iteration = Atomic<UInt64>(0)
    let isOver = Atomic<Bool>(false)
    private let thread: pthread_t

    init(thread: pthread_t) { self.thread = thread }

    /// Aborts the run's thread if one input takes longer than a minute.
    func watch() {
        Thread.detachNewThread {
            var (last, seconds) = (UInt64.max, 0)
            while !self.isOver.load(ordering: .relaxed) {
                let iteration = self.iteration.load(ordering: .relaxed)
                seconds = iteration == last ? seconds + 1 : 0
                last = iteration
                if seconds >= 60 { pthread_kill(self.thread, SIGABRT) }
                Thread.sleep(forTimeInterval: 1)
            }
        }
    }
}

/// What the signal handler needs.
private struct Page {
    private static let capacity = 1 << 16
    private static let stackSize = 1 << 18

    private let decoder: UnsafeMutablePointer<CChar>?
    private let seed: UInt64
    private let bytes = UnsafeMutablePointer<UInt8>.allocate(capacity: capacity)
    private let stack = UnsafeMutableRawPointer.allocate(byteCount: stackSize, alignment: 16)
    private var iteration: UInt64 = 0
    private var count = 0

    init(decoder: String, seed: UInt64) {
        self.decoder = strdup(decoder)
        self.seed = seed
    }

    func free() {
        Glibc.free(self.decoder)
        self.bytes.deallocate()
        self.stack.deallocate()
    }

    mutating func set(_ iteration: UInt64, _ input: [UInt8]) {
        self.iteration = iteration
        self.count = min(input.count, Self.capacity)
        input.withUnsafeBufferPointer { source in
            if let start = source.baseAddress { self.bytes.update(from: start, count: self.count) }
        }
    }

    /// A stack that has overflowed cannot tell of it.
    func useOwnStackForSignals(_ isOn: Bool) {
        var stack = stack_t()
        stack.ss_sp = self.stack
        stack.ss_size = Self.stackSize
        stack.ss_flags = isOn ? 0 : CInt(SS_DISABLE)
        sigaltstack(&stack, nil)
    }

    func write() {
        Self.write("\nfuzzing ended the process: ")
        if let decoder { _ = Glibc.write(2, decoder, strlen(decoder)) }
        Self.write(" FUZZ_SEED=\(self.seed), input \(self.iteration), FUZZ_REPLAY=")
        Self.write(Data(bytes: self.bytes, count: self.count).base64EncodedString() + "\n")
    }

    private static func write(_ text: String) {
        var text = text
        text.withUTF8 { _ = Glibc.write(2, $0.baseAddress, $0.count) }
    }
}

private let currentPage: pthread_key_t = {
    var key = pthread_key_t()
    pthread_key_create(&key, nil)
    return key
}()

/// What was there before us; it takes over once we have written.
private let handlers: [CInt: sigaction] = {
    var previous: [CInt: sigaction] = [:]
    for number in [SIGILL, SIGTRAP, SIGSEGV, SIGBUS, SIGFPE, SIGABRT] {
        var action = sigaction()
        action.__sigaction_handler.sa_handler = report
        action.sa_flags = SA_ONSTACK
        var old = sigaction()
        sigaction(number, &action, &old)
        previous[number] = old
    }
    return previous
}()

private func report(_ number: CInt) {
    pthread_getspecific(currentPage)?.assumingMemoryBound(to: Page.self).pointee.write()
    if var old = handlers[number] { sigaction(number, &old, nil) }
    if number == SIGABRT || number == SIGTRAP { raise(number) }
}
