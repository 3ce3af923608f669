import Capacity
import Disks
import Jobs
import Reservations

/// The kinds that this program has handlers for, and what it can tell of a job before anybody enqueues it.
enum BuiltInKinds {
    static let all =
        (KindEntry.disks.map(\.declared) + KindEntry.reservations.map(\.declared)
        + KindEntry.capacity.map(\.declared))
        .sorted { $0.kind.name < $1.kind.name }

    /// Refuses, as wrong usage, what no worker of this version would take; `isForced` lets a newer one judge.
    static func check(_ kind: JobKind, _ payload: [UInt8], isForced: Bool, isDryRun: Bool = false) throws {
        guard let declared = self.all.first(where: { $0.kind == kind }) else {
            if isForced, kind.name.wholeMatch(of: /[a-z0-9\-]+(\.[a-z0-9\-]+)+/) != nil {
                return try self.checkRehearsal(of: kind, nil, isDryRun)
            }
            throw Failure(
                .usage,
                self.absence(of: kind),
                "`gpudev-worker schema` lists the kinds; --force enqueues one that only a newer worker knows"
            )
        }
        try self.checkRehearsal(of: kind, declared, isDryRun)
        if !isForced { try declared.check(payload) }
    }

    /// What is wrong with the name of a kind; nil if there is one of that name.
    static func fault(of kind: JobKind) -> String? {
        self.all.contains { $0.kind == kind } ? nil : self.absence(of: kind)
    }

    private static func absence(of kind: JobKind) -> String {
        let guess = self.nearest(to: kind.name).map { "; did you mean \($0)?" } ?? ""
        return "there is no kind \(kind)\(guess)"
    }

    /// A kind that drops the field as unknown would do what it was only to rehearse.
    private static func checkRehearsal(of kind: JobKind, _ declared: DeclaredKind?, _ isDryRun: Bool) throws {
        guard isDryRun, declared?.canRehearse != true else { return }
        let able = self.all.filter(\.canRehearse).map(\.kind.name).sorted().joined(separator: ", ")
        throw Failure(.usage, "\(kind) cannot rehearse, so nothing was enqueued; these can: \(able)")
    }

    /// The kind that is spelled nearly so.
    private static func nearest(to name: String) -> String? {
        let distances = self.all.map { (name: $0.kind.name, distance: Self.edits(name, $0.kind.name)) }
        let best = distances.min { $0.distance < $1.distance }
        return best.flatMap { $0.distance <= 4 ? $0.name : nil }
    }

    /// How many letters have to be put in, left out or replaced to make one word of the other (Levenshtein).
    private static func edits(_ from: String, _ to: String) -> Int {
        let target = Array(to.utf8)
        var row = Array(0...target.count)
        for (index, letter) in from.utf8.prefix(250).enumerated() {
            var previous = row[0]
            row[0] = index + 1
            for (column, other) in target.enumerated() {
                let replaced = previous + (letter == other ? 0 : 1)
                previous = row[column + 1]
                row[column + 1] = min(replaced, previous + 1, row[column] + 1)
            }
        }
        return row[target.count]
    }
}
