/// Looks many things up by their ids with few calls, although one id that is not known fails a whole call.
struct ManyLookups<ID: ResourceIdentifier, Item: Sendable>: Sendable {
    typealias Outcome = Result<Item?, AWSError>

    /// The most ids of one call.
    let limit: Int
    /// AWS's word for an id that is not known.
    let absence: String
    let id: @Sendable (Item) -> ID
    let describe: @Sendable ([ID], ContinuousClock.Instant) async throws(AWSError) -> [Item]

    /// What each id stands for; nil where AWS says that there is nothing.
    func outcomes(of ids: [ID], deadline: ContinuousClock.Instant) async -> [ID: Outcome] {
        var outcomes: [ID: Outcome] = [:]
        for start in stride(from: 0, to: ids.count, by: self.limit) {
            let some = Array(ids[start..<min(start + self.limit, ids.count)])
            outcomes.merge(await self.outcomesOfOneCall(some, deadline)) { $1 }
        }
        return outcomes
    }

    private func outcomesOfOneCall(_ ids: [ID], _ deadline: ContinuousClock.Instant) async -> [ID: Outcome] {
        do throws(AWSError) {
            let found = try await self.describe(ids, deadline)
            let items = Dictionary(found.map { (self.id($0), $0) }) { $1 }
            return Dictionary(uniqueKeysWithValues: ids.map { ($0, .success(items[$0])) })
        } catch {
            let isAbsent = error.awsCode == self.absence
            let fault: Outcome = isAbsent ? .success(nil) : .failure(error)
            guard ids.count > 1, isAbsent || error.code == .invalid else {
                return Dictionary(uniqueKeysWithValues: ids.map { ($0, fault) })
            }
            return await self.outcomes(of: ids, without: error.named(among: ids), fault, deadline)
        }
    }

    /// Asks again without those at fault; in halves where the message does not tell them from the others.
    private func outcomes(
        of ids: [ID],
        without named: Set<ID>,
        _ fault: Outcome,
        _ deadline: ContinuousClock.Instant
    ) async -> [ID: Outcome] {
        var outcomes: [ID: Outcome] = [:]
        if !named.isEmpty, named.count < ids.count {
            for id in named { outcomes[id] = fault }
            let others = ids.filter { !named.contains($0) }
            return outcomes.merging(await self.outcomesOfOneCall(others, deadline)) { $1 }
        }
        for half in [ids[..<(ids.count / 2)], ids[(ids.count / 2)...]] {
            outcomes.merge(await self.outcomesOfOneCall(Array(half), deadline)) { $1 }
        }
        return outcomes
    }
}

extension AWSError {
    /// The ids that stand in the message as words of their own: one may be the beginning of another.
    fileprivate func named<ID: ResourceIdentifier>(among ids: [ID]) -> Set<ID> {
        let words = Set(self.message.split { !$0.isLetter && !$0.isNumber && $0 != "-" }.map { String($0) })
        return Set(ids.filter { words.contains($0.rawValue) })
    }
}
