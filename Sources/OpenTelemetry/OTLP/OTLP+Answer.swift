import FoundationEssentials

extension OTLP {
    /// What a collector says of a request that it took.
    struct Answer: Decodable {
        private let partialSuccess: PartialSuccess?

        private struct PartialSuccess: Decodable {
            let rejectedSpans: Count?
            let errorMessage: String?
        }

        /// A number, as text or not: both are in use.
        private struct Count: Decodable {
            let value: Int

            init(from decoder: any Decoder) throws {
                let container = try decoder.singleValueContainer()
                if let number = try? container.decode(Int.self) {
                    self.value = number
                } else {
                    self.value = Int(try container.decode(String.self)) ?? 0
                }
            }
        }

        /// Nil for what is not JSON: not every collector has something to say.
        init?(_ body: [UInt8]) {
            guard let answer = try? JSONDecoder().decode(Self.self, from: Data(body)) else { return nil }
            self = answer
        }

        /// How many spans it left, and why.
        struct Rejection: Sendable {
            let count: Int
            let reason: String
        }

        /// Nil if it took all.
        var rejection: Rejection? {
            guard let partial = self.partialSuccess, let count = partial.rejectedSpans?.value, count > 0
            else {
                return nil
            }
            return Rejection(
                count: count,
                reason: partial.errorMessage ?? "the collector does not say why"
            )
        }
    }
}
