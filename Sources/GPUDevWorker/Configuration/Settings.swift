import AWS
import Admin
import Calls
import Disks
import FoundationEssentials
import Jobs
import Kubernetes
import Logging
import OpenTelemetry
import Platform
import Postgres
import RabbitMQ
import Reservations

/// The settings of one run of the program, checked as they are read.
///
/// Faults are gathered, so that all of them can be reported at once.
final class Settings {
    private let source: SettingsSource
    private var faults: [String] = []

    /// Read once, so that a wrong value is one fault.
    private lazy var allowsPlaintext = {
        var isAllowed = false
        self.choice("ALLOW_PLAINTEXT", ["true", "false"]) { isAllowed = $0 == "true" }
        return isAllowed
    }()

    private init(_ source: SettingsSource) { self.source = source }

    /// Reads what a command needs.
    ///
    /// Throws `ConfigurationFaults` with all that is missing or wrong.
    static func load<each Part>(_ read: repeat (Settings) -> (each Part)?) async throws -> (repeat each Part)
    {
        let settings = Settings(try await SettingsSource.open())
        let parts = (repeat (each read)(settings))
        guard settings.faults.isEmpty else { throw ConfigurationFaults(lines: settings.faults) }
        return (repeat try settings.require(each parts))
    }

    private func require<Part>(_ part: Part?) throws -> Part {
        guard let part else { throw ConfigurationFaults(lines: self.faults) }
        return part
    }
}

extension Settings {
    /// PostgreSQL for all, and without a pooler in between for the worker's own session.
    func database() -> DatabaseSettings? {
        guard let url = self.source.value("DATABASE_URL") ?? (self.source.value("PGHOST") == nil ? nil : "")
        else {
            self.fault("DATABASE_URL is not set (nor PGHOST)", "postgresql://user@host/database")
            return nil
        }
        let direct = self.source.value("DATABASE_DIRECT_URL")
        let setting = url.isEmpty ? "PGHOST" : "DATABASE_URL"
        guard let transport = self.transport(to: url, setting) else { return nil }
        if let direct, self.transport(to: direct, "DATABASE_DIRECT_URL") == nil { return nil }
        return DatabaseSettings(
            pooled: PostgresConfiguration(url).with { $0.usesPooler = direct != nil },
            direct: PostgresConfiguration(direct ?? url),
            transport: transport
        )
    }

    /// How a connection string leads to PostgreSQL; nil, and a fault, if that is not safe.
    private func transport(to url: String, _ setting: String) -> Transport? {
        do {
            let transport = Transport(try PostgresConfiguration(url).servers())
            return self.allows(transport, setting, instead: "sslmode=verify-full") ? transport : nil
        } catch {
            self.faults.append("\(setting) cannot be used: \(error.message)")
            return nil
        }
    }

    /// Whether passwords and data may travel so; else that is a fault.
    private func allows(_ transport: Transport, _ setting: String, instead remedy: String) -> Bool {
        let isAllowed = self.allowsPlaintext
        guard let host = transport.exposedHost, !isAllowed else { return true }
        self.faults.append(
            "\(setting) leads to \(host) in a way that others on the network can read or take over; use \(remedy),"
                + " or set ALLOW_PLAINTEXT=true where nobody else is on that network"
        )
        return false
    }

    func broker() -> RabbitMQConfiguration? {
        guard let url = self.source.value("AMQP_URL") else {
            self.fault("AMQP_URL is not set", "amqp://user:password@host:5672/vhost")
            return nil
        }
        do {
            let caFile = self.source.value("SSL_CERT_FILE")
            let broker = try RabbitMQConfiguration(url: url).with { $0.caFile = caFile }
            return self.allows(Transport(broker), "AMQP_URL", instead: "amqps") ? broker : nil
        } catch {
            self.faults.append("AMQP_URL cannot be used: \(error.message)")
            return nil
        }
    }

    func topology() -> Topology? {
        let prefix = self.source.value("TOPOLOGY_PREFIX") ?? "gpudev"
        guard prefix.utf8.count <= 100, Self.names.spells(prefix),
            ASCIISet.lettersAndDigits.contains(prefix.utf8.first)
        else {
            self.faults.append("TOPOLOGY_PREFIX must be a name of letters, digits, '.', '_' and '-'")
            return nil
        }
        return Topology(prefix: prefix, families: .platform)
    }

    func aws() -> AWSConfiguration? {
        let source = self.source
        do {
            return try AWSConfiguration { source.value($0) }
        } catch {
            self.faults.append(error.message)
            return nil
        }
    }

    func worker() -> WorkerSettings? {
        var worker = WorkerSettings()
        worker.name = "\(ProcessInfo.processInfo.hostName)/\(ProcessInfo.processInfo.processIdentifier)"
        worker.version = Release.current.version
        worker.families = self.families() ?? [JobFamily].platform.map(\.queue)
        self.number("WORKER_CONCURRENCY", 1...10_000) { worker.concurrency = $0 }
        worker.kindLimits = self.kindLimits()
        self.number("WORKER_MAX_ATTEMPTS", 1...1000) { worker.retries.maximumAttempts = $0 }
        self.number("WORKER_MAX_STARTS", 1...1000) { worker.maximumStarts = $0 }
        self.duration("WORKER_DEADLINE") { worker.deadline = $0 }
        self.duration("WORKER_RETRY_BASE") { worker.retries.backoff.base = $0 }
        self.duration("WORKER_UNKNOWN_KIND_WAIT") { worker.unknownKindWait = $0 }
        self.duration("WORKER_SHUTDOWN_GRACE") { worker.shutdownGrace = $0 }
        if worker.deadline > .seconds(900) {
            self.faults.append(
                "WORKER_DEADLINE must be at most 15m, half of RabbitMQ's usual consumer timeout"
            )
        }
        self.duration("LEDGER_RETENTION") { worker.ledgerRetention = $0 }
        if !(.seconds(86_400) ... .seconds(3650 * 86_400)).contains(worker.ledgerRetention) {
            self.faults.append(
                "LEDGER_RETENTION must be 1d to 3650d: a message that comes again after that runs its job again"
            )
        }
        self.choice("DRY_RUN", ["true", "false"]) { worker.isDryRun = $0 == "true" }
        return worker
    }

    /// Where probes and metrics are asked for: by everybody in a pod, else on this machine only.
    func admin() -> AdminAddress? {
        var port = 8080
        self.number("HTTP_PORT", 0...65535) { port = $0 }
        let isPod = self.source.value("KUBERNETES_SERVICE_HOST") != nil
        let host = self.source.value("HTTP_HOST") ?? (isPod ? "0.0.0.0" : "127.0.0.1")
        return AdminAddress(host: host, port: port)
    }

    /// Nil inside if host names are not set up.
    func dns() -> DNSSettings?? {
        guard
            let values = self.group(["DOMAIN_NAME", "HOSTED_ZONE_ID", "JUPYTER_ALB_DNS"])
        else { return .some(nil) }
        // A name of 63 and a domain of 64 characters are as much as a rule of the load balancer takes.
        guard values[0].utf8.count <= 64 else {
            self.faults.append("DOMAIN_NAME must be a domain of at most 64 characters")
            return nil
        }
        let reserved = self.source.value("RESERVED_HOST_NAMES") ?? ""
        return DNSSettings(
            domainName: values[0].lowercased(),
            hostedZoneID: HostedZoneID(rawValue: values[1]),
            jupyterLoadBalancerDNS: values[2],
            reservedNames: reserved.lowercased().split { $0 == "," || $0.isWhitespace }.map { String($0) }
        )
    }

    /// Nil inside if routes are not set up.
    func routes() -> RouteSettings?? {
        guard
            let values = self.group(
                ["JUPYTER_ALB_LISTENER_ARN", "ALB_VPC_ID", "DOMAIN_NAME"],
                sharing: "DOMAIN_NAME"
            )
        else { return .some(nil) }
        return RouteSettings(
            listenerARN: ResourceARN(rawValue: values[0]),
            vpcID: values[1],
            domainName: values[2].lowercased()
        )
    }

    /// Nil inside if no cluster is set up.
    ///
    /// What is named counts before what a pod finds around itself. kubectl's own file of a user is not looked for: the
    /// cluster that somebody worked with last is not one to remove pods from.
    func kubernetes() -> KubernetesSettings?? {
        guard let namespace = self.namespace() else { return nil }
        if let files = self.source.value("KUBECONFIG") {
            do {
                let access = try KubeconfigAccess(files: files)
                return KubernetesSettings(way: .described(access), namespace: namespace)
            } catch {
                self.faults.append(error.message)
                return nil
            }
        }
        if let access = InClusterAccess(environment: { self.source.value($0) }) {
            return KubernetesSettings(way: .described(access), namespace: namespace)
        }
        guard let cluster = self.source.value("EKS_CLUSTER_NAME") else { return .some(nil) }
        return KubernetesSettings(way: .eks(cluster: cluster), namespace: namespace)
    }

    /// Where listings of the contents of disks are kept; nil inside if nowhere.
    func contentsBucket() -> String?? {
        guard let bucket = self.source.value("DISK_CONTENTS_BUCKET") else { return .some(nil) }
        guard (3...63).contains(bucket.utf8.count), Self.isName(bucket, with: ".-") else {
            self.faults.append("DISK_CONTENTS_BUCKET must be the name of a bucket, not a URL")
            return nil
        }
        return .some(bucket)
    }

    /// How soon, and how much of it in an hour, users' data may be deleted for good.
    func retention() -> DiskRetention? {
        var retention = DiskRetention()
        self.duration("DISK_MINIMUM_RETENTION") { retention.minimum = $0 }
        self.number("DISK_DELETIONS_PER_HOUR", 0...100_000) { retention.deletionsPerHour = $0 }
        if retention.minimum > .seconds(3650 * 86_400) {
            self.faults.append("DISK_MINIMUM_RETENTION must be at most 3650d")
        }
        return retention
    }

    /// Where spans go; nil inside if nobody collects them.
    func traces() -> TraceSettings?? {
        let known = self.faults.count
        let traces = TraceSettings({ self.source.value($0) }, fault: { self.faults.append($0) })
        return self.faults.count == known ? .some(traces) : nil
    }

    func logs() -> LogSettings? {
        var logs = LogSettings()
        self.choice("LOG_LEVEL", Logger.Level.allCases.map(\.rawValue)) {
            logs.level = Logger.Level(rawValue: $0) ?? .info
        }
        self.choice("LOG_FORMAT", ["json", "text"]) { logs.isJSON = $0 == "json" }
        return logs
    }
}

extension Settings {
    private static let names = ASCIISet.lettersAndDigits + ASCIISet("._-")

    /// Whether it has lower-case letters, digits and, inside, some others.
    private static func isName(_ text: String, with others: String) -> Bool {
        let ends = ASCIISet.lowercaseAndDigits
        return (ends + ASCIISet(others)).spells(text) && ends.contains(text.utf8.first)
            && ends.contains(text.utf8.last)
    }

    private func fault(_ sentence: String, _ example: String) {
        self.faults.append("\(sentence); for example \(example)")
    }

    private func number(_ name: String, _ range: ClosedRange<Int>, _ take: (Int) -> Void) {
        guard let text = self.source.value(name) else { return }
        guard let number = Int(text), range.contains(number) else {
            return self.faults.append(
                "\(name) must be a whole number from \(range.lowerBound) to \(range.upperBound)"
            )
        }
        take(number)
    }

    private func duration(_ name: String, _ take: (Duration) -> Void) {
        guard let text = self.source.value(name) else { return }
        guard let duration = DurationText(text)?.duration, duration > .zero else {
            return self.faults.append("\(name) must be a duration such as 500ms, 5s, 10m or 1h")
        }
        take(duration)
    }

    private func choice(_ name: String, _ choices: [String], _ take: (String) -> Void) {
        guard let text = self.source.value(name) else { return }
        guard choices.contains(text) else {
            return self.faults.append("\(name) must be one of \(choices.joined(separator: ", "))")
        }
        take(text)
    }

    private func namespace() -> String? {
        let name = self.source.value("KUBERNETES_NAMESPACE") ?? "gpu-dev"
        guard name.utf8.count <= 63, Self.isName(name, with: "-") else {
            self.faults.append("KUBERNETES_NAMESPACE must be a name of lower-case letters, digits and '-'")
            return nil
        }
        return name
    }

    private func families() -> [String]? {
        guard let text = self.source.value("WORKER_QUEUES") else { return nil }
        let names = text.split(separator: ",").map { $0.filter { !$0.isWhitespace } }
        let known = [JobFamily].platform.map(\.queue)
        guard !names.isEmpty, names.allSatisfy(known.contains) else {
            let list = known.joined(separator: ", ")
            self.faults.append("WORKER_QUEUES must be a list of \(list), with commas in between")
            return nil
        }
        return Array(Set(names)).sorted()
    }

    /// How many of a kind may run at once: `kind=number` with commas in between.
    private func kindLimits() -> [JobKind: Int] {
        let setting = "WORKER_KIND_LIMITS"
        var limits: [JobKind: Int] = [:]
        for part in self.source.value(setting)?.split(separator: ",") ?? [] {
            let sides = part.split(separator: "=", omittingEmptySubsequences: false)
                .map { $0.filter { !$0.isWhitespace } }
            guard sides.count == 2, let limit = Int(sides[1]), (1...10_000).contains(limit) else {
                self.faults.append(
                    "\(setting) must be a list such as disk.create-snapshot=8,disk.restore=4, with numbers from 1 to 10000"
                )
                continue
            }
            let kind = JobKind(sides[0])
            if let fault = BuiltInKinds.fault(of: kind) {
                self.faults.append("\(setting) names a kind of which this worker knows nothing: \(fault)")
            } else if limits.updateValue(limit, forKey: kind) != nil {
                self.faults.append("\(setting) names \(kind) twice")
            }
        }
        return limits
    }

    /// Settings that go together: all of them or none, but for one that another group may have too.
    private func group(_ names: [String], sharing shared: String? = nil) -> [String]? {
        let values = names.map { self.source.value($0) }
        let missing = zip(names, values).filter { $0.1 == nil }.map(\.0)
        guard !missing.isEmpty else { return values.compactMap { $0 } }
        let present = zip(names, values).filter { $0.1 != nil && $0.0 != shared }.map(\.0)
        if !present.isEmpty {
            let (given, lacking) = (present.joined(separator: ", "), missing.joined(separator: ", "))
            self.faults.append("\(given) is set, but not \(lacking): they go together")
        }
        return nil
    }
}

/// Everything that is wrong with the settings, one sentence each.
struct ConfigurationFaults: Error {
    let lines: [String]
}
