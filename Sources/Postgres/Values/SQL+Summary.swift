extension SQL {
    /// What the statement does to what, such as `INSERT outbox`: without values, and the same each time.
    var summary: String {
        var words = Self.words(of: self.text)
        guard let verb = words.next()?.uppercased() else { return "" }
        let object: Substring?
        switch verb {
        case "UPDATE", "LISTEN", "NOTIFY": object = words.next()
        case "INSERT": object = words.next().flatMap { _ in words.next() }
        case "SELECT" where self.callsFunction: object = words.next()
        case "SELECT", "DELETE":
            var words = Self.words(of: self.outerText)
            object = words.next { $0.uppercased() == "FROM" }.flatMap { _ in words.next() }
        default: object = nil
        }
        return object.map { "\(verb) \($0)" } ?? verb
    }

    private static func words(of text: String) -> IndexingIterator<[Substring]> {
        text.split { $0.isWhitespace || "(),;\"".contains($0) }.makeIterator()
    }

    /// The text without what stands in parentheses: `extract(epoch FROM …)` and subqueries have a FROM of their own.
    private var outerText: String {
        var depth = 0
        return self.text.filter { character in
            if character == "(" { depth += 1 }
            defer { if character == ")" { depth -= 1 } }
            return depth == 0
        }
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
