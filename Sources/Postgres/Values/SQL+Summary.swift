extension SQL {
    /// What the statement does to what, such as `INSERT outbox`: without values, and the same each time.
    var summary: String {
        var words = self.text.split { $0.isWhitespace || "(),;\"".contains($0) }.makeIterator()
        guard let verb = words.next()?.uppercased() else { return "" }
        let object: Substring?
        switch verb {
        case "UPDATE", "LISTEN", "NOTIFY": object = words.next()
        case "INSERT": object = words.next().flatMap { _ in words.next() }
        case "SELECT" where self.callsFunction: object = words.next()
        case "SELECT", "DELETE":
            object = words.next { $0.uppercased() == "FROM" }.flatMap { _ in words.next() }
        default: object = nil
        }
        return object.map { "\(verb) \($0)" } ?? verb
    }

    /// Whether what is selected is what one function returns.
    private var callsFunction: Bool {
        self.text.drop { $0.isWhitespace }.dropFirst("SELECT ".count)
            .prefix { !$0.isWhitespace }.contains("(")
    }
}

extension IteratorProtocol {
    /// The next element that `isWanted`.
    fileprivate mutating func next(_ isWanted: (Element) -> Bool) -> Element? {
        while let element = self.next() { if isWanted(element) { return element } }
        return nil
    }
}
