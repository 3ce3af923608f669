import CLinux

/// A detached thread that runs one closure.
enum OperatingSystemThread {
    static func start(named name: String, _ body: @escaping () -> Void) {
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        pthread_attr_setdetachstate(&attributes, CInt(PTHREAD_CREATE_DETACHED))
        defer { pthread_attr_destroy(&attributes) }

        // The thread takes over the reference and releases it when it has read the box.
        let context = Unmanaged.passRetained(Box(name: name, body: body)).toOpaque()
        var thread = pthread_t()
        let status = pthread_create(&thread, &attributes, runBox, context)
        precondition(status == 0, "no thread could be started: errno \(status)")
    }
}

private final class Box {
    let name: String
    let body: () -> Void

    init(name: String, body: @escaping () -> Void) {
        self.name = name
        self.body = body
    }
}

private func runBox(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let context else { return nil }
    let box = Unmanaged<Box>.fromOpaque(context).takeRetainedValue()
    clinux_name_this_thread(String(box.name.prefix(15)))
    box.body()
    return nil
}
