/// Bound values laid out as libpq takes them; kept and filled again, so that a call allocates nothing.
struct ParameterBuffer {
    /// What libpq reads: how many, where each starts (null for SQL's null), their lengths and their formats.
    typealias Body = (
        CInt, UnsafePointer<UnsafePointer<CChar>?>?, UnsafePointer<CInt>?, UnsafePointer<CInt>?
    ) -> Bool

    private var bytes: [UInt8] = []
    private var offsets: [Int?] = []
    private var lengths: [CInt] = []
    private var formats: [CInt] = []
    private var pointers: [UnsafePointer<CChar>?] = []

    /// Lends the values to `body`, which must not keep the pointers.
    mutating func with(_ values: [PostgresValue], _ body: Body) -> Bool {
        guard !values.isEmpty else { return body(0, nil, nil, nil) }
        self.empty()
        for value in values { self.append(value) }
        return self.bytes.withUnsafeBufferPointer { bytes in
            let base = UnsafeRawPointer(bytes.baseAddress)
            for offset in self.offsets {
                self.pointers.append(
                    offset.flatMap { base?.advanced(by: $0).assumingMemoryBound(to: CChar.self) }
                )
            }
            return body(CInt(values.count), self.pointers, self.lengths, self.formats)
        }
    }

    private mutating func append(_ value: PostgresValue) {
        let start = self.bytes.count
        switch value.storage {
        case .null: break
        case .text(let text): self.bytes.append(contentsOf: text.utf8)
        case .binary(let bytes): self.bytes.append(contentsOf: bytes)
        }
        self.lengths.append(CInt(self.bytes.count - start))
        self.formats.append(value.isBinary ? 1 : 0)
        self.offsets.append(value.isNull ? nil : start)
        self.bytes.append(0)
    }

    private mutating func empty() {
        // One large body must not stay in memory for as long as the connection lives.
        self.bytes.removeAll(keepingCapacity: self.bytes.capacity <= 1 << 16)
        self.offsets.removeAll(keepingCapacity: true)
        self.lengths.removeAll(keepingCapacity: true)
        self.formats.removeAll(keepingCapacity: true)
        self.pointers.removeAll(keepingCapacity: true)
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
