import FoundationEssentials
import Jobs

/// The files of the repository that are written from the declared kinds: schemas, and tables in the documents.
struct GeneratedFiles {
    let kinds: [DeclaredKind]

    /// The repository's own folder.
    let root: URL

    init(of kinds: [DeclaredKind], in root: String) {
        self.kinds = kinds
        self.root = URL(filePath: root, directoryHint: .isDirectory)
    }

    /// Writes those that differ, removes the schemas of kinds that are gone, and returns the paths of both.
    func write() throws -> [String] {
        let differing = try self.differing()
        for file in differing {
            let url = self.root.appending(path: file.path)
            if let text = file.text {
                try Data(text.utf8).write(to: url, options: .atomic)
            } else {
                try FileManager.default.removeItem(at: url)
            }
        }
        return differing.map(\.path)
    }

    /// The paths of those that are not as they would be written.
    func check() throws -> [String] { try self.differing().map(\.path) }

    private struct File {
        let path: String
        /// Nil for one that is to go.
        let text: String?
    }

    private func differing() throws -> [File] {
        let written = self.schemas + (try self.documents())
        let changed = written.filter { file in
            let found = try? Data(contentsOf: self.root.appending(path: file.path))
            return found.map { String(decoding: $0, as: UTF8.self) } != file.text
        }
        let paths = Set(written.map(\.path))
        let left = try ["schemas/jobs", "schemas/events"].flatMap { folder in
            try FileManager.default.contentsOfDirectory(atPath: self.root.appending(path: folder).path())
                .map { "\(folder)/\($0)" }
        }
        let superfluous = left.filter { !paths.contains($0) && $0 != Self.envelope }
        return changed + superfluous.sorted().map { File(path: $0, text: nil) }
    }

    /// What all events have in common; no kind declares it.
    private static let envelope = "schemas/events/envelope.json"

    private var schemas: [File] {
        self.kinds.map { File(path: "schemas/jobs/\($0.kind).json", text: $0.payloadSchema + "\n") }
            + self.kinds.map { File(path: "schemas/events/\($0.kind).json", text: $0.eventSchema + "\n") } + [
                File(path: "schemas/events/failed.json", text: FailureData.schema + "\n"),
                File(path: "schemas/asyncapi.yaml", text: AsyncAPIDocument(kinds: self.kinds).text),
            ]
    }

    private func documents() throws -> [File] {
        let names = self.kinds.map { "`\($0.kind)`" }
        return [
            try self.document("README.md", self.table(["does"]) { [$0.summary] }),
            try self.document(
                "docs/producers.md",
                self.table(["fields (`?` may be left out)"]) { [Self.list($0.fieldNames)] }
            ),
            try self.document(
                "docs/threat-model.md",
                self.table(["sent by", "can destroy or show", "undone", "what proves ownership"]) { kind in
                    let authority = kind.authority
                    return [authority.sentBy, authority.canHarm, authority.undoneBy, authority.provedBy]
                }
            ),
            try self.document("docs/metrics.md", names.joined(separator: ", ")),
        ]
    }

    private func table(_ headings: [String], _ cells: (DeclaredKind) -> [String]) -> String {
        let line = "|" + String(repeating: "---|", count: headings.count + 1)
        let rows = self.kinds.map { Self.row(["`\($0.kind)`"] + cells($0)) }
        return "\n" + ([Self.row(["kind"] + headings), line] + rows).joined(separator: "\n") + "\n"
    }

    private static func row(_ cells: [String]) -> String { "| " + cells.joined(separator: " | ") + " |" }

    private static func list(_ names: [String]) -> String {
        names.isEmpty ? "none" : names.map { "`\($0)`" }.joined(separator: ", ")
    }

    /// The document with `text` in the place that is marked for it.
    private func document(_ path: String, _ text: String) throws -> File {
        let (start, end) = ("<!-- generated: kinds -->", "<!-- end of generated -->")
        let found = String(decoding: try Data(contentsOf: self.root.appending(path: path)), as: UTF8.self)
        guard let before = found.firstRange(of: start),
            let after = found[before.upperBound...].firstRange(of: end)
        else { throw Failure(.failed, "\(path) has no place marked by \(start) and \(end)") }
        return File(
            path: path,
            text: found[..<before.upperBound] + text + found[after.lowerBound...]
        )
    }
}
