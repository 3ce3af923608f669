/// The text of a statement in pieces, with gaps where parameters go.
///
/// It is made anew at each call and nearly always one that was made before, so it is compared without being read: the
/// literals of a program stand at one place each.
struct StatementOutline: Sendable, Hashable {
    /// Nil for the next parameter.
    private var pieces: [String?]
    /// Differs for most outlines that differ.
    private var digest = 0

    init(_ pieces: [String?]) {
        self.pieces = []
        for piece in pieces { self.append(piece) }
    }

    init(capacity: Int) {
        self.pieces = []
        self.pieces.reserveCapacity(capacity)
    }

    mutating func append(_ piece: String?) {
        self.pieces.append(piece)
        self.digest = self.digest &* 31 &+ (piece?.utf8.count ?? -1)
    }

    mutating func append(_ other: StatementOutline) {
        for piece in other.pieces { self.append(piece) }
    }

    /// The whole, with `$1`, `$2`, … for the parameters.
    var text: String {
        var (text, parameters) = ("", 0)
        for piece in self.pieces {
            if piece == nil { parameters += 1 }
            text += piece ?? "$\(parameters)"
        }
        return text
    }

    /// Whether it holds a NUL, where C would end the text.
    var hasNUL: Bool { self.pieces.contains { $0?.hasNUL ?? false } }

    static func == (left: StatementOutline, right: StatementOutline) -> Bool {
        left.digest == right.digest && left.pieces == right.pieces
    }

    func hash(into hasher: inout Hasher) { hasher.combine(self.digest) }
}
