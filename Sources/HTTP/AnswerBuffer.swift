/// What has arrived of an answer so far.
struct AnswerBuffer {
    let limit: Int
    private(set) var headers = HTTPHeaders()
    private(set) var body: [UInt8] = []
    private(set) var isTooLarge = false
    private var headerBytes = 0

    init(limit: Int) {
        self.limit = limit
    }

    /// Takes one line of the head as libcurl passes it on, status lines included; false if that is too much.
    mutating func addHeaderLine(_ bytes: UnsafeRawBufferPointer) -> Bool {
        self.headerBytes += bytes.count
        guard self.headerBytes <= 256 << 10 else { return self.refuse() }
        let line = String(decoding: bytes, as: UTF8.self)
        if line.hasPrefix("HTTP/") {
            // A final answer after an interim one.
            self.headers = HTTPHeaders()
        } else if let colon = line.firstIndex(of: ":") {
            let value = line[line.index(after: colon)...]
            self.headers.append(String(line[..<colon]), value.trimmingFieldSpace)
        }
        return true
    }

    /// Takes a piece of the body; false if that is too much.
    mutating func addBody(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard bytes.count <= self.limit - self.body.count else { return self.refuse() }
        self.body.append(contentsOf: bytes)
        return true
    }

    private mutating func refuse() -> Bool {
        self.isTooLarge = true
        return false
    }
}
