import HTTP

/// The way that kubectl's configuration describes; the files are read again at each renewal.
package struct KubeconfigAccess: AccessProvider {
    private let files: String

    /// Checks what the files say, so that a mistake shows at once.
    ///
    /// - Parameter files: Paths with colons in between, as in `KUBECONFIG`.
    /// - Throws: `configuration`, saying what is wrong.
    package init(files: String) throws(KubernetesError) {
        self.files = files
        _ = try Kubeconfig(files: files)
    }

    package func access(
        after complaint: AccessComplaint?,
        deadline: ContinuousClock.Instant
    ) async throws(KubernetesError) -> ClusterAccess {
        let configuration = try Kubeconfig(files: self.files)
        var access = try ClusterAccess(configuration.cluster)
        let user = configuration.user
        if let certificate = user.certificate, let key = user.key {
            access.tls.identity = TLSOptions.Identity(
                certificate: try certificate.read(),
                privateKey: try key.read()
            )
        }
        // A file comes before a token beside it, as in client-go.
        if let file = user.tokenFile {
            access.token = try FileContent.token(file)
            access.renewal = .now.advanced(by: FileContent.tokenLifetime)
        } else if let token = user.token {
            access.token = token
        } else if let plugin = user.plugin {
            try await plugin.run(deadline: deadline).apply(to: &access)
        }
        return access
    }
}

extension ClusterAccess {
    fileprivate init(_ cluster: Kubeconfig.Cluster) throws(KubernetesError) {
        var tls = TLSOptions()
        if let authority = cluster.authority { tls.authorities = .pem(try authority.read()) }
        tls.serverName = cluster.serverName
        self.init(server: cluster.server, tls: tls, proxy: cluster.proxy)
    }
}
