import FoundationEssentials
import YAML

/// One file of kubectl's configuration, as it is written.
struct KubeconfigDocument: Decodable {
    struct NamedCluster: Decodable, NamedEntry {
        let name: String
        let cluster: Cluster
    }

    struct Cluster: Decodable {
        let server: String
        let authority: String?
        let authorityData: String?
        let tlsServerName: String?
        let proxyURL: String?
        let insecureSkipTLSVerify: Bool?

        private enum CodingKeys: String, CodingKey {
            case server
            case authority = "certificate-authority"
            case authorityData = "certificate-authority-data"
            case tlsServerName = "tls-server-name"
            case proxyURL = "proxy-url"
            case insecureSkipTLSVerify = "insecure-skip-tls-verify"
        }
    }

    struct NamedUser: Decodable, NamedEntry {
        let name: String
        let user: User
    }

    struct User: Decodable {
        let token: String?
        let tokenFile: String?
        let certificate: String?
        let certificateData: String?
        let key: String?
        let keyData: String?
        let exec: Plugin?

        private enum CodingKeys: String, CodingKey {
            case token, tokenFile, exec
            case certificate = "client-certificate"
            case certificateData = "client-certificate-data"
            case key = "client-key"
            case keyData = "client-key-data"
        }
    }

    struct Plugin: Decodable {
        struct Variable: Decodable {
            let name: String
            let value: String
        }

        let apiVersion: String
        let command: String
        let args: [String]?
        let env: [Variable]?
        let provideClusterInfo: Bool?
    }

    struct NamedContext: Decodable, NamedEntry {
        let name: String
        let context: Context
    }

    struct Context: Decodable {
        let cluster: String
        let user: String
    }

    let currentContext: String?
    let clusters: [NamedCluster]?
    let users: [NamedUser]?
    let contexts: [NamedContext]?

    private enum CodingKeys: String, CodingKey {
        case currentContext = "current-context"
        case clusters, users, contexts
    }

    /// Reads a file.
    init(_ path: String) throws(KubernetesError) {
        let bytes = try FileContent.read(path)
        do {
            let json = try JSONEncoder().encode(YAMLValue(document: bytes))
            self = try JSONDecoder().decode(Self.self, from: json)
        } catch {
            throw .configuration("\(path) is no kubeconfig: \(DecodingProblem(error))")
        }
    }
}

/// An entry of one of the lists, which go by name.
protocol NamedEntry {
    var name: String { get }
}
