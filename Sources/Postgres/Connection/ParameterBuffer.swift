/// Bound values laid out as libpq takes them; kept and filled again, so that a call allocates nothing.
struct ParameterBuffer {
    /// What libpq reads: how many, where each starts (null for SQL's null), their lengths and their formats.
    typealias Body = (
        CInt, UnsafePointer<UnsafePointer<CChar>?>?, UnsafePointer<CInt>?, UnsafePointer<CInt>?
    ) -> Bool

    private var bytes: [UInt8] = []
    private var lengths: [CInt] = []
    private var formats: [CInt] = []
    private var pointers: [UnsafePointer<CChar>?] = []

    /// Lends the values to `body`, which must not keep the pointers.
    mutating func with(_ values: [PostgresValue], _ body: Body) -> Bool {
        guard !values.isEmpty else { return body(0, nil, nil, nil) }
        self.makeRoom(for: values.count)
        for index in values.indices { self.append(values[index], at: index) }
        return self.bytes.withUnsafeBytes { bytes in
            var end = bytes.baseAddress?.assumingMemoryBound(to: CChar.self)
            for index in values.indices {
                self.pointers[index] = values[index].isNull ? nil : end
                end = end?.advanced(by: Int(self.lengths[index]) + 1)
            }
            return body(CInt(values.count), self.pointers, self.lengths, self.formats)
        }
    }

    private mutating func append(_ value: PostgresValue, at index: Int) {
        let start = self.bytes.count
        switch value.storage {
        case .null: break
        case .text(let text): text.utf8.span.withUnsafeBufferPointer { self.bytes.append(contentsOf: $0) }
        case .binary(let bytes): self.bytes.append(contentsOf: bytes)
        }
        self.lengths[index] = CInt(self.bytes.count - start)
        self.formats[index] = value.isBinary ? 1 : 0
        self.bytes.append(0)
    }

    private mutating func makeRoom(for count: Int) {
        // One large body must not stay in memory for as long as the connection lives.
        self.bytes.removeAll(keepingCapacity: self.bytes.capacity <= 1 << 16)
        guard count > self.lengths.count else { return }
        self.lengths = Array(repeating: 0, count: count)
        self.formats = Array(repeating: 0, count: count)
        self.pointers = Array(repeating: nil, count: count)
    }
}

extension PostgresValue {
    fileprivate var isBinary: Bool {
        if case .binary = self.storage { true } else { false }
    }

    fileprivate var isNull: Bool {
        if case .null = self.storage { true } else { false }
    }
}
