import Jobs
import Kubernetes
import Platform

/// The files of a disk as a command in its pod has printed them: how much is in use, a line of dashes, and the tree.
struct Listing: Sendable, Equatable {
    /// The bytes as they came, cut after a whole line where there were too many.
    let bytes: [UInt8]

    /// How much of the disk is in use; nil if du did not say.
    let usage: DiskUsage?

    let isTruncated: Bool

    /// The command's; nil if it did not come.
    let exitCode: Int?

    /// The most that is stored.
    static let limit = 1 << 20

    /// What is added to a listing that was cut off.
    static let note = Array("[cut off after 1 MiB]\n".utf8)

    private static let newline = UInt8(ascii: "\n")

    /// Nothing if the command printed nothing.
    init?(_ result: ExecResult) {
        guard !result.standardOutput.isEmpty else { return nil }
        var bytes = result.standardOutput[...]
        if result.isTruncated {
            bytes = bytes.prefix(Self.limit)
            let end = bytes.lastIndex(of: Self.newline) ?? bytes.startIndex
            bytes = bytes.prefix(through: end) + Self.note
        }
        self.bytes = Array(bytes)
        self.usage = DiskUsage(atTheHeadOf: bytes)
        self.isTruncated = result.isTruncated
        self.exitCode = result.exitCode
    }

    /// The command; what fails of it keeps nothing from being printed, and shows in the exit code.
    static func command(for path: MountPath) -> [String] {
        let script = """
            status=0
            du -sh "$1" || status=$?
            echo ---
            {
                if command -v tree >/dev/null; then tree -a -L 3 --dirsfirst -I '.oh-my-zsh|.git' "$1"
                else find "$1" -maxdepth 3 \\( -name .oh-my-zsh -o -name .git \\) -prune -o -print | sort
                fi
            } | head -n 1000 || status=$?
            exit "$status"
            """
        return ["/bin/sh", "-c", script, "listing", path.text]
    }
}
