/// The text of a statement in pieces, with gaps where parameters go.
///
/// It is made anew at each call and nearly always one that was made before, so it is compared without being read: the
/// literals of a program stand at one place each.
struct StatementOutline: Sendable, Hashable {
    /// Empty for the next parameter.
    private var pieces: [String]

    init(_ text: String) {
        self.pieces = []
        self.append(text)
    }

    init(capacity: Int) {
        self.pieces = []
        self.pieces.reserveCapacity(capacity)
    }

    mutating func append(_ text: String) {
        if !text.isEmpty { self.pieces.append(text) }
    }

    mutating func appendParameter() { self.pieces.append("") }

    mutating func append(_ other: StatementOutline) { self.pieces += other.pieces }

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

    /// By the lengths of the pieces, which differ for most outlines that differ.
    func hash(into hasher: inout Hasher) {
        hasher.combine(self.pieces.reduce(0) { $0 &* 31 &+ $1.utf8.count })
    }
}
