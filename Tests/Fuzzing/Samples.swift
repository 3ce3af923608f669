import Foundation

/// Valid inputs that lie in files.
package enum Samples {
    /// The examples of the schemas of job messages, as JSON.
    package static func jobs() throws -> [[UInt8]] {
        var samples: [[UInt8]] = []
        for file in try Self.files(in: Self.repository.appending(path: "schemas/jobs")) {
            let schema = try JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any]
            for example in schema?["examples"] as? [Any] ?? [] {
                samples.append(
                    [UInt8](try JSONSerialization.data(withJSONObject: example, options: .sortedKeys))
                )
            }
        }
        return samples
    }

    /// Answers of AWS as its API references show them.
    package static func aws() throws -> [[UInt8]] {
        let folder = Self.repository.appending(path: "Tests/Fuzzing/Samples/AWS")
        return try Self.files(in: folder).map { [UInt8](try Data(contentsOf: $0)) }
    }

    private static let repository = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    private static func files(in folder: URL) throws -> [URL] {
        try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
            .sorted { $0.path < $1.path }
    }
}
