/// Where an answer departs from what it should be: a path, never a value.
struct DecodingProblem: CustomStringConvertible {
    let description: String

    init(_ error: any Error) {
        guard let error = error as? DecodingError else {
            self.description = "\(error)"
            return
        }
        switch error {
        case .keyNotFound(let key, let context):
            self.description = "\(Self.path(context.codingPath + [key])) is missing"
        case .valueNotFound(_, let context): self.description = "\(Self.path(context.codingPath)) is null"
        case .typeMismatch(_, let context):
            self.description = "\(Self.path(context.codingPath)) is of another type"
        case .dataCorrupted(let context):
            self.description = "\(Self.path(context.codingPath)): \(context.debugDescription)"
        @unknown default: self.description = "it is no JSON of this kind"
        }
    }

    private static func path(_ keys: [any CodingKey]) -> String {
        keys.isEmpty
            ? "the document"
            : keys.map { $0.intValue.map(String.init) ?? $0.stringValue }
                .joined(separator: ".")
    }
}
