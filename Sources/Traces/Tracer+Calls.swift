package import Tracing

extension Tracer {
    /// Begins the span of a call to another system, within the trace of this task.
    ///
    /// Nil where none is recorded, so that the caller need not gather attributes of the call.
    package func startCall(_ name: @autoclosure () -> String) -> (any Tracing.Span)? {
        guard let context = ServiceContext.current, context.trace?.isSampled == true else { return nil }
        return self.startSpan(name(), context: context, ofKind: .client)
    }
}

extension Span {
    /// Ends the span of something that has failed.
    ///
    /// - Parameters:
    ///   - code: From a small set, for grouping.
    ///   - message: For people, without secrets.
    package func fail(_ code: String, _ message: String) {
        self.attributes["error.type"] = code
        self.setStatus(SpanStatus(code: .error, message: message))
        self.end()
    }
}
