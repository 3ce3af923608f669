import CCurl
import Glibc

/// Starts a thread that may use libcurl and ends when `body` does; what `body` holds is released by then.
func startThread(named name: StaticString, _ body: @escaping @Sendable () -> Void) {
    precondition(curlIsReady, "libcurl could not be initialised")
    let box = StartBox(name: name, body: body)
    var thread = pthread_t()
    // The thread takes over the reference and releases it when it has read the box.
    let status = pthread_create(&thread, nil, runThread, Unmanaged.passRetained(box).toOpaque())
    precondition(status == 0, "no thread could be started: errno \(status)")
    pthread_detach(thread)
}

private final class StartBox {
    let name: StaticString
    let body: @Sendable () -> Void

    init(name: StaticString, body: @escaping @Sendable () -> Void) {
        self.name = name
        self.body = body
    }
}

private func runThread(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let context else { return nil }
    let box = Unmanaged<StartBox>.fromOpaque(context).takeRetainedValue()
    prepareThread(named: box.name)
    box.body()
    return nil
}

/// TLS writes to closed sockets raise SIGPIPE, which would end the process; held back, they are errors.
private func prepareThread(named name: StaticString) {
    var signals = sigset_t()
    sigemptyset(&signals)
    sigaddset(&signals, SIGPIPE)
    pthread_sigmask(SIG_BLOCK, &signals, nil)
    name.withUTF8Buffer { text in
        text.withMemoryRebound(to: CChar.self) { ccurl_name_this_thread($0.baseAddress) }
    }
}

/// Once a process, before any handle.
private let curlIsReady = curl_global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK
