import Fuzzing

extension History {
    /// What is wrong with the world, told with as few steps as it takes; nil if nothing is.
    ///
    /// One that breaks a rule in `known` is told as it is.
    func failure(in place: Place, known: Set<String>) async throws -> BrokenWorld? {
        guard var broken = try await Self.violation(of: self.steps, self.seed, in: place) else { return nil }
        let sort = broken.sort
        guard !known.contains(sort) else { return broken }
        var position = 0
        while position < broken.steps.count {
            var fewer = broken.steps
            fewer.remove(at: position)
            if let other = try await Self.violation(of: fewer, self.seed, in: place),
                other.sort == sort
            {
                broken = other
            } else {
                position += 1
            }
        }
        return broken
    }

    static func violation(of steps: [Step], _ seed: UInt64, in place: Place) async throws -> BrokenWorld? {
        let world = World(in: place)
        do {
            try await world.live(steps)
            return nil
        } catch let violation as Violation {
            return BrokenWorld(
                seed: seed,
                steps: steps,
                violation: violation.description,
                trace: world.trace
            )
        }
    }
}
