import FoundationEssentials

/// Reads the small files that credentials come in.
enum FileContent {
    /// How long a token from a file is used before the file is read again: the kubelet replaces it in time, and says
    /// that once a minute will do.
    static let tokenLifetime: Duration = .seconds(50)

    static func read(_ path: String) throws(KubernetesError) -> [UInt8] {
        do {
            return Array(try Data(contentsOf: URL(filePath: path)))
        } catch {
            throw KubernetesError.configuration("\(path) cannot be read")
        }
    }

    /// The token in a file, without the line break at its end.
    static func token(_ path: String) throws(KubernetesError) -> String {
        let token = String(decoding: try self.read(path), as: UTF8.self).filter { !$0.isWhitespace }
        guard !token.isEmpty else { throw KubernetesError.configuration("\(path) holds no token") }
        return token
    }
}
