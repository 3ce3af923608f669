/// The `data` of a `.failed` event.
package struct FailureData: Encodable, Sendable, Equatable {
    package let reason: String
    package let code: String
    package let error: String
    package let attempts: Int

    package init(_ death: Death) {
        self.reason = death.cause.rawValue
        self.code = death.code
        self.error = death.error
        self.attempts = death.attempts
    }
}
