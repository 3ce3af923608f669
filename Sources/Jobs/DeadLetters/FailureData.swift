/// The `data` of a `.failed` event.
package struct FailureData: EventData, Equatable {
    package let reason: String
    package let code: String
    package let error: String
    package let attempts: Int

    package init(_ death: FinalFailure) {
        self.reason = death.cause.rawValue
        self.code = death.code
        self.error = death.error
        self.attempts = death.attempts
    }

    package static let shape = EventShape<FailureData>(
        .field("reason", "Why the job is dead.", as: .oneOf(FinalFailure.Cause.allCases.map(\.rawValue))) {
            $0.reason
        },
        .field(
            "code",
            "What the failing side called it, such as an AWS error code; empty where there is none."
        ) {
            $0.code
        },
        .field(
            "error",
            "What went wrong, in words; at most 4 KiB of UTF-8.",
            as: .text(atMost: Reason.longestMessage)
        ) {
            $0.error
        },
        .field("attempts", "How often the handler tried; 0 when it never ran.") { $0.attempts }
    )

    /// The JSON Schema (2020-12) of it.
    package static let schema = DeclaredKind.schema(
        "events:failed",
        "A job died",
        "The data of every event that ends in .failed.",
        Self.shape.keywords,
        [
            [
                "reason": "invalid-payload", "code": "payload", "error": "disk_name: is required",
                "attempts": 0,
            ],
            [
                "reason": "rejected", "code": "NoSuchHostedZone",
                "error": "ChangeResourceRecordSets: no such hosted zone", "attempts": 1,
            ],
        ]
    )
}
