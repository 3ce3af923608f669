/// The text of a statement in pieces, with gaps where parameters go.
///
/// It is made anew at each call and nearly always one that was made before, so it is compared without being read: the
/// literals of a program stand at one place each.
struct StatementOutline: Sendable, Hashable {
    /// Empty for the next parameter.
    private var pieces: [String]
    /// Differs for most outlines that differ.
    private var digest = 0

    init(_ text: String) {
        self.pieces = []
        self.append(text)
    }

    init(capacity: Int) {
        self.pieces = []
        self.pieces.reserveCapacity(capacity)
    }

    mutating func append(_ text: String) {
        if !text.isEmpty { self.add(text) }
    }

    mutating func appendParameter() { self.add("") }

    mutating func append(_ other: StatementOutline) {
        for piece in other.pieces { self.add(piece) }
    }

    private mutating func add(_ piece: String) {
        self.pieces.append(piece)
        self.digest = self.digest &* 31 &+ piece.utf8.count
    }

    /// The whole, with `$1`, `$2`, … for the parameters.
    var text: String {
        var (text, parameters) = ("", 0)
        for piece in self.pieces {
            if piece.isEmpty { parameters += 1 }
            text += piece.isEmpty ? "$\(parameters)" : piece
        }
        return text
    }

    /// Whether it holds a NUL, where C would end the text.
    var hasNUL: Bool { self.pieces.contains(where: \.hasNUL) }

    static func == (left: StatementOutline, right: StatementOutline) -> Bool {
        left.digest == right.digest && left.pieces == right.pieces
    }

    func hash(into hasher: inout Hasher) { hasher.combine(self.digest) }
}
