/// Why an answer could not be read as what was expected.
struct XMLError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}
