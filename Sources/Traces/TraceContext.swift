/// Where in which trace something happens, as it travels from one program to the next (W3C Trace Context, level 1).
package struct TraceContext: Hashable, Sendable {
    package let traceID: TraceID
    /// The span that it happens in.
    package let spanID: SpanID
    /// Whether the trace is being recorded.
    package let isSampled: Bool
    /// The vendors' own data (tracestate); passed on as it came.
    package let state: String?

    /// As much of a `tracestate` as every vendor must take.
    private static let longestState = 512

    package init(traceID: TraceID, spanID: SpanID, isSampled: Bool, state: String? = nil) {
        self.traceID = traceID
        self.spanID = spanID
        self.isSampled = isSampled
        self.state = state
    }

    /// Reads the headers `traceparent` and `tracestate`; nil if the first is none.
    ///
    /// A version that is newer than 00 is read as far as its beginning is like that of 00, as section 3.2.4 wants it.
    package init?(traceparent: String, tracestate: String? = nil) {
        let fields = traceparent.split(separator: "-", omittingEmptySubsequences: false)
        guard fields.count >= 4, let version = UInt8(lowerHex: fields[0]), version != 0xff,
            version > 0 || fields.count == 4, let traceID = TraceID(fields[1]),
            let spanID = SpanID(fields[2]),
            let flags = UInt8(lowerHex: fields[3])
        else { return nil }
        self.init(
            traceID: traceID,
            spanID: spanID,
            isSampled: flags & 1 == 1,
            state: tracestate.flatMap { $0.isEmpty || $0.utf8.count > Self.longestState ? nil : $0 }
        )
    }

    /// The header `traceparent`.
    package var traceparent: String { "00-\(self.traceID)-\(self.spanID)-\(self.isSampled ? "01" : "00")" }
}
