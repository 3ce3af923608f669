import FoundationEssentials
import HTTP

/// A program that gives credentials, as a kubeconfig names it.
///
/// Source: Kubernetes manual, "Authenticating", client-go credential plugins.
struct CredentialPlugin: Sendable {
    let apiVersion: String
    let command: String
    let arguments: [String]
    let environment: [String: String]
    /// What it gets in `KUBERNETES_EXEC_INFO`.
    let information: String

    init(
        _ document: KubeconfigDocument.Plugin,
        cluster: Kubeconfig.Cluster,
        folder: String
    ) throws(KubernetesError) {
        guard
            ["v1", "v1beta1"].contains(where: { document.apiVersion == "client.authentication.k8s.io/\($0)" })
        else {
            throw .configuration("KUBECONFIG has a plugin of \(document.apiVersion), which is not supported")
        }
        self.apiVersion = document.apiVersion
        // A name without a slash is looked up in PATH.
        self.command = document.command.contains("/") ? document.command.path(in: folder) : document.command
        self.arguments = document.args ?? []
        self.environment = Dictionary((document.env ?? []).map { ($0.name, $0.value) }) { $1 }
        self.information = try ExecInformation(document, cluster).json
    }

    /// Runs it and reads what it prints.
    func run(deadline: ContinuousClock.Instant) async throws(KubernetesError) -> PluginCredential {
        let variables = ["KUBERNETES_EXEC_INFO": self.information].merging(self.environment) { $1 }
        let output: [UInt8]
        do {
            output = try await ProgramRun(
                program: self.command,
                arguments: self.arguments,
                variables: variables
            ).output(deadline: deadline)
        } catch {
            throw self.failure("\(error)")
        }
        guard let answer = try? JSONDecoder().decode(PluginCredential.Document.self, from: Data(output))
        else {
            throw self.failure("it printed no ExecCredential")
        }
        guard answer.apiVersion == self.apiVersion else {
            throw self.failure("it answered in \(answer.apiVersion) and not in \(self.apiVersion)")
        }
        guard let credential = PluginCredential(answer) else {
            throw self.failure("it gave neither a token nor a certificate with its key")
        }
        return credential
    }

    private func failure(_ message: String) -> KubernetesError {
        KubernetesError(
            code: .credentials,
            operation: "kubernetes.plugin",
            message: "\(self.command): \(message)"
        )
    }
}

/// What a plugin gave.
struct PluginCredential: Sendable {
    struct Document: Decodable {
        struct State: Decodable {
            let token: String?
            let clientCertificateData: String?
            let clientKeyData: String?
            let expirationTimestamp: Timestamp?
        }

        let apiVersion: String
        let status: State?
    }

    let token: String?
    let identity: TLSOptions.Identity?
    let expiration: Date?

    /// Nil if there is nothing in it.
    init?(_ document: Document) {
        guard let status = document.status else { return nil }
        self.token = status.token
        self.identity = status.clientCertificateData.flatMap { certificate in
            status.clientKeyData.map {
                TLSOptions.Identity(certificate: Array(certificate.utf8), privateKey: Array($0.utf8))
            }
        }
        self.expiration = status.expirationTimestamp?.date
        if self.token == nil, self.identity == nil { return nil }
    }

    /// Uses it, until a little before it expires.
    func apply(to access: inout ClusterAccess) {
        access.token = self.token
        if let identity { access.tls.identity = identity }
        access.renewal = self.expiration.map {
            .now.advanced(by: .seconds($0.timeIntervalSinceNow - 10))
        }
    }
}

/// The input of a plugin. (`ExecCredential`, of which a program that asks fills in `spec`.)
private struct ExecInformation: Encodable {
    struct Cluster: Encodable {
        let server: String
        let certificateAuthorityData: Data?
        let tlsServerName: String?
        let proxyURL: String?

        private enum CodingKeys: String, CodingKey {
            case server
            case certificateAuthorityData = "certificate-authority-data"
            case tlsServerName = "tls-server-name"
            case proxyURL = "proxy-url"
        }
    }

    struct Specification: Encodable {
        let interactive = false
        let cluster: Cluster?
    }

    let apiVersion: String
    let kind = "ExecCredential"
    let spec: Specification

    init(_ plugin: KubeconfigDocument.Plugin, _ cluster: Kubeconfig.Cluster) throws(KubernetesError) {
        self.apiVersion = plugin.apiVersion
        guard plugin.provideClusterInfo == true else {
            self.spec = Specification(cluster: nil)
            return
        }
        self.spec = Specification(
            cluster: Cluster(
                server: cluster.server,
                certificateAuthorityData: try cluster.authority.map { authority throws(KubernetesError) in
                    Data(try authority.read())
                },
                tlsServerName: cluster.serverName,
                proxyURL: cluster.proxy
            )
        )
    }

    var json: String { (try? JSONEncoder().encode(self)).map { String(decoding: $0, as: UTF8.self) } ?? "" }
}
