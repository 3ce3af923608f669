/// Why an answer could not be read as what was expected.
struct MalformedAnswer: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}
