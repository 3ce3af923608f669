import Glibc
import Synchronization

/// A TCP relay in front of the broker that can stop relaying, in one direction or both, as a broken network does.
final class Proxy: Sendable {
    private struct State {
        var stalledUp = false
        var stalledDown = false
        var descriptors: [CInt] = []
    }

    /// Where it listens, on 127.0.0.1.
    let port: UInt16
    private let listener: CInt
    private let target: UInt16
    private let state = Mutex(State())

    init(to target: UInt16) throws {
        self.target = target
        let listener = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        var address = loopback(0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let port = withUnsafeMutablePointer(to: &address) { pointer -> UInt16? in
            let address = UnsafeMutableRawPointer(pointer).assumingMemoryBound(to: sockaddr.self)
            guard bind(listener, address, length) == 0, listen(listener, 8) == 0 else { return nil }
            guard getsockname(listener, address, &length) == 0 else { return nil }
            return UInt16(bigEndian: pointer.pointee.sin_port)
        }
        guard let port else { throw Broker.Fault(message: "the proxy has no port: errno \(errno)") }
        self.port = port
        self.listener = listener
        self.startThread { self.accept() }
    }

    /// Stops relaying what the client sends, and with `down` what the broker sends too.
    func stall(down: Bool) {
        self.state.withLock { state in
            state.stalledUp = true
            state.stalledDown = down
        }
    }

    func close() {
        self.state.withLock { state in
            for descriptor in state.descriptors + [self.listener] { shutdown(descriptor, CInt(SHUT_RDWR)) }
        }
    }

    private func accept() {
        while true {
            let client = Glibc.accept(self.listener, nil, nil)
            guard client >= 0 else { return }
            let broker = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
            var address = loopback(self.target)
            _ = withUnsafeMutablePointer(to: &address) { pointer in
                connect(
                    broker,
                    UnsafeMutableRawPointer(pointer).assumingMemoryBound(to: sockaddr.self),
                    socklen_t(MemoryLayout<sockaddr_in>.size)
                )
            }
            self.state.withLock { $0.descriptors += [client, broker] }
            self.startThread { self.relay(from: client, to: broker) { $0.stalledUp } }
            self.startThread { self.relay(from: broker, to: client) { $0.stalledDown } }
        }
    }

    private func relay(from source: CInt, to target: CInt, isStalled: @Sendable (borrowing State) -> Bool) {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = read(source, &buffer, buffer.count)
            if self.state.withLock({ isStalled($0) }) { return }
            guard count > 0, send(target, buffer, count, CInt(MSG_NOSIGNAL)) == count else {
                shutdown(target, CInt(SHUT_RDWR))
                return
            }
        }
    }

    private func startThread(_ body: @escaping @Sendable () -> Void) {
        let box = Unmanaged.passRetained(ThreadBody(run: body))
        var thread = pthread_t()
        pthread_create(
            &thread,
            nil,
            { context in
                guard let context else { return nil }
                Unmanaged<ThreadBody>.fromOpaque(context).takeRetainedValue().run()
                return nil
            },
            box.toOpaque()
        )
        pthread_detach(thread)
    }
}

private final class ThreadBody: Sendable {
    let run: @Sendable () -> Void

    init(run: @escaping @Sendable () -> Void) { self.run = run }
}

private func loopback(_ port: UInt16) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    return address
}
