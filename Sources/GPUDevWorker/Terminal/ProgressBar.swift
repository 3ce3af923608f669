/// How far a long command has come, for a person who waits.
struct ProgressBar {
    private let label: String
    private let total: Int
    private var done = 0

    private static let width = 30

    init(_ label: String, total: Int) {
        self.label = label
        self.total = max(total, 1)
        self.draw()
    }

    mutating func advance() {
        self.done += 1
        self.draw()
    }

    /// Leaves the line to whoever writes next.
    func finish() { Terminal.show(progress: "") }

    private func draw() {
        let filled = min(Self.width, self.done * Self.width / self.total)
        let bar = String(repeating: "#", count: filled) + String(repeating: ".", count: Self.width - filled)
        Terminal.show(progress: "\(self.label) [\(bar)] \(self.done)/\(self.total)")
    }
}
