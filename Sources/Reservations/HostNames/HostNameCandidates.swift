import Jobs

/// The names to try for a reservation, best first.
struct HostNameCandidates: Sequence, Sendable {
    private let wish: HostName?
    private let reserved: Set<String>

    private static let lastNumber = 999
    private static let randomNames = 100

    init(wish: String?, reserved: Set<String> = HostName.reserved) {
        let name = wish.flatMap { HostName(wish: $0) }
        self.wish = name.flatMap { reserved.contains($0.description) ? $0.with(suffix: "alt") : $0 }
        self.reserved = reserved
    }

    /// The wish, the wish with a number, then a hundred random names.
    func makeIterator() -> AnyIterator<HostName> {
        let numbered = self.wish.map { wish in
            [wish].lazy + (2...Self.lastNumber).lazy.compactMap { wish.with(suffix: String($0)) }
        }
        let random = (0..<Self.randomNames).lazy.compactMap { _ in Self.randomName() }
        var first = numbered.map { AnyIterator($0.makeIterator()) }
        var second = random.makeIterator()
        let names = AnyIterator {
            if let name = first?.next() { return name }
            first = nil
            return second.next()
        }
        return AnyIterator(names.lazy.filter { !self.reserved.contains($0.description) }.makeIterator())
    }

    private static func randomName() -> HostName? {
        guard let adjective = NameWords.adjectives.randomElement(),
            let animal = NameWords.animals.randomElement()
        else { return nil }
        return HostName(wire: "\(adjective)-\(animal)")
    }
}

/// The wish for a name, in any spelling.
struct PreferredName: Sendable, PayloadValue {
    static let requirement = "text of at most 255 characters"
    static let schema = ValueSchema.text(atMost: 255)

    let text: String

    init?(wire: String) {
        guard wire.unicodeScalars.count <= 255 else { return nil }
        self.text = wire
    }
}
