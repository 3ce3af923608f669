import Configuration
import SystemPackage

/// Where settings come from: the environment, then files of the same name in `CONFIG_DIRECTORY`.
struct SettingsSource: Sendable {
    private let reader: ConfigReader

    static func open() async throws -> SettingsSource {
        let environment = EnvironmentVariablesProvider()
        let directory = ConfigReader(provider: environment).string(forKey: ConfigKey(["CONFIG_DIRECTORY"]))
        guard let directory, !directory.isEmpty else {
            return SettingsSource(ConfigReader(provider: environment))
        }
        do {
            let files = try await DirectoryFilesProvider(directoryPath: FilePath(directory))
            return SettingsSource(ConfigReader(providers: [environment, files]))
        } catch {
            throw ConfigurationFaults(lines: ["CONFIG_DIRECTORY \(directory) cannot be read: \(error)"])
        }
    }

    init(_ reader: ConfigReader) { self.reader = reader }

    /// The value of a setting without blanks around it; nil if it is absent or empty.
    ///
    /// Every value is treated as a secret: none is ever logged.
    func value(_ name: String) -> String? {
        let text = self.reader.string(forKey: ConfigKey([name]), isSecret: true)?
            .trimming(while: \.isWhitespace)
        return text?.isEmpty == false ? text : nil
    }
}

extension String {
    fileprivate func trimming(while isUnwanted: (Character) -> Bool) -> String {
        let start = self.drop(while: isUnwanted)
        guard let last = start.lastIndex(where: { !isUnwanted($0) }) else { return "" }
        return String(start[...last])
    }
}
