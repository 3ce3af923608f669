/// The names to try for a reservation, best first.
struct HostNameCandidates: Sequence, Sendable {
    private let wish: HostName?

    private static let lastNumber = 999
    private static let randomNames = 100

    init(wish: String?) {
        let name = wish.flatMap { HostName(wish: $0) }
        self.wish = name.flatMap { HostName.reserved.contains($0.description) ? $0.with(suffix: "alt") : $0 }
    }

    /// The wish, the wish with a number, then a hundred random names.
    func makeIterator() -> AnyIterator<HostName> {
        let numbered = self.wish.map { wish in
            [wish].lazy + (2...Self.lastNumber).lazy.compactMap { wish.with(suffix: String($0)) }
        }
        let random = (0..<Self.randomNames).lazy.compactMap { _ in Self.randomName() }
        var first = numbered.map { AnyIterator($0.makeIterator()) }
        var second = random.makeIterator()
        return AnyIterator {
            if let name = first?.next() { return name }
            first = nil
            return second.next()
        }
    }

    private static func randomName() -> HostName? {
        guard let adjective = NameWords.adjectives.randomElement(),
            let animal = NameWords.animals.randomElement()
        else { return nil }
        return HostName(wire: "\(adjective)-\(animal)")
    }
}
