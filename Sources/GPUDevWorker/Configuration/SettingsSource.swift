import Configuration
import FoundationEssentials
import SystemPackage

/// Where settings come from: the environment, then files of the same name in `CONFIG_DIRECTORY`.
struct SettingsSource: Sendable {
    private let readers: [ConfigReader]

    static func open() async throws -> SettingsSource {
        let environment = EnvironmentVariablesProvider()
        let first = ConfigReader(provider: environment)
        let directory = first.string(forKey: ConfigKey(["CONFIG_DIRECTORY"]))
        guard let directory, !directory.isEmpty else {
            return SettingsSource(readers: [first])
        }
        do {
            let files = try await DirectoryFilesProvider(directoryPath: Self.files(in: directory))
            return SettingsSource(readers: [first, ConfigReader(provider: files)])
        } catch {
            throw ConfigurationFaults(lines: ["CONFIG_DIRECTORY \(directory) cannot be read: \(error)"])
        }
    }

    /// Where the files themselves are: Kubernetes mounts a secret as links into `..data`, and links are not read.
    private static func files(in directory: String) -> FilePath {
        let mounted = FilePath(directory).appending("..data")
        return FileManager.default.fileExists(atPath: mounted.string) ? mounted : FilePath(directory)
    }

    /// The value of a setting without blanks around it; nil if it is absent or empty everywhere.
    ///
    /// Every value is treated as a secret: none is ever logged.
    func value(_ name: String) -> String? {
        self.readers.lazy
            .compactMap {
                $0.string(forKey: ConfigKey([name]), isSecret: true)?.trimming(while: \.isWhitespace)
            }
            .first { !$0.isEmpty }
    }
}

extension String {
    fileprivate func trimming(while isUnwanted: (Character) -> Bool) -> String {
        let start = self.drop(while: isUnwanted)
        guard let last = start.lastIndex(where: { !isUnwanted($0) }) else { return "" }
        return String(start[...last])
    }
}
