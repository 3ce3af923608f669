import FoundationEssentials

/// The files that kubectl is configured with.
///
/// Source: Kubernetes manual, "Organizing Cluster Access Using kubeconfig Files", and kubeconfig (v1).
struct Kubeconfig: Sendable {
    struct Cluster: Sendable {
        var server: String
        var authority: FileOrData?
        var serverName: String?
        var proxy: String?
    }

    struct User: Sendable {
        var token: String?
        var tokenFile: String?
        var certificate: FileOrData?
        var key: FileOrData?
        var plugin: CredentialPlugin?
    }

    /// A file, or what would be in it; data come before files.
    enum FileOrData: Sendable {
        case file(String)
        case data([UInt8])

        func read() throws(KubernetesError) -> [UInt8] {
            switch self {
            case .file(let path): try FileContent.read(path)
            case .data(let bytes): bytes
            }
        }
    }

    let cluster: Cluster
    let user: User

    /// Reads the files in a list with colons in between; of what several of them define the first counts.
    init(files list: String) throws(KubernetesError) {
        var documents: [(folder: String, content: KubeconfigDocument)] = []
        for path in list.split(separator: ":").map(String.init)
        where FileManager.default.fileExists(atPath: path) {
            let folder = URL(filePath: path).deletingLastPathComponent().path
            documents.append((folder, try KubeconfigDocument(path)))
        }
        guard !documents.isEmpty else { throw .configuration("KUBECONFIG names no file that exists") }
        guard let current = documents.firstNonEmpty(\.currentContext) else {
            throw .configuration("KUBECONFIG has no current-context")
        }
        guard let context = documents.first(\.contexts, named: current)?.context else {
            throw .configuration("KUBECONFIG has no context \(current)")
        }
        guard let (folder, cluster) = documents.firstWithFolder(\.clusters, named: context.cluster) else {
            throw .configuration("KUBECONFIG has no cluster \(context.cluster)")
        }
        self.cluster = try Cluster(cluster.cluster, in: folder)
        guard let (userFolder, user) = documents.firstWithFolder(\.users, named: context.user) else {
            throw .configuration("KUBECONFIG has no user \(context.user)")
        }
        self.user = try User(user.user, of: self.cluster, in: userFolder)
    }
}

extension Kubeconfig.Cluster {
    fileprivate init(_ document: KubeconfigDocument.Cluster, in folder: String) throws(KubernetesError) {
        guard document.insecureSkipTLSVerify != true else {
            throw .configuration(
                "KUBECONFIG asks for insecure-skip-tls-verify, which is not supported: give the certificate-authority"
            )
        }
        guard document.server.hasPrefix("https://") else {
            throw .configuration("KUBECONFIG has a server that is not https")
        }
        self.server = document.server
        self.authority = try .init(document.authorityData, document.authority, in: folder)
        self.serverName = document.tlsServerName
        self.proxy = document.proxyURL
    }
}

extension Kubeconfig.User {
    fileprivate init(
        _ document: KubeconfigDocument.User,
        of cluster: Kubeconfig.Cluster,
        in folder: String
    ) throws(KubernetesError) {
        self.token = document.token
        self.tokenFile = document.tokenFile.map { $0.path(in: folder) }
        self.certificate = try .init(document.certificateData, document.certificate, in: folder)
        self.key = try .init(document.keyData, document.key, in: folder)
        self.plugin = try document.exec.map { exec throws(KubernetesError) in
            try CredentialPlugin(exec, cluster: cluster, folder: folder)
        }
        guard (self.certificate == nil) == (self.key == nil) else {
            throw .configuration(
                "KUBECONFIG has a client certificate or a client key alone: they go together"
            )
        }
    }
}

extension Kubeconfig.FileOrData {
    fileprivate init?(_ base64: String?, _ path: String?, in folder: String) throws(KubernetesError) {
        if let base64, !base64.isEmpty {
            guard let data = Data(base64Encoded: base64, options: .ignoreUnknownCharacters), !data.isEmpty
            else {
                throw .configuration("KUBECONFIG has data that is not base64")
            }
            self = .data(Array(data))
        } else if let path, !path.isEmpty {
            self = .file(path.path(in: folder))
        } else {
            return nil
        }
    }
}

extension String {
    /// Relative paths are relative to the file that they stand in.
    func path(in folder: String) -> String { self.hasPrefix("/") ? self : "\(folder)/\(self)" }
}

extension [(folder: String, content: KubeconfigDocument)] {
    fileprivate func firstNonEmpty(_ key: KeyPath<KubeconfigDocument, String?>) -> String? {
        self.lazy.compactMap { $0.content[keyPath: key] }.first { !$0.isEmpty }
    }

    fileprivate func first<Entry: NamedEntry>(
        _ key: KeyPath<KubeconfigDocument, [Entry]?>,
        named name: String
    ) -> Entry? {
        self.firstWithFolder(key, named: name)?.entry
    }

    fileprivate func firstWithFolder<Entry: NamedEntry>(
        _ key: KeyPath<KubeconfigDocument, [Entry]?>,
        named name: String
    ) -> (folder: String, entry: Entry)? {
        for (folder, content) in self {
            if let entry = content[keyPath: key]?.first(where: { $0.name == name }) { return (folder, entry) }
        }
        return nil
    }
}
