// swift-tools-version: 6.2
import PackageDescription

let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .treatAllWarnings(as: .error),
    // The optimizer looks across targets. Exclusive access is checked in all debug builds, and so
    // in all tests.
    .unsafeFlags(
        ["-cross-module-optimization", "-enforce-exclusivity=unchecked"],
        .when(configuration: .release)
    ),
]

/// For targets that hold no pointers: any unsafe construct is a warning, and warnings are errors.
let memorySafe = settings + [.strictMemorySafety()]

let log: Target.Dependency = .product(name: "Logging", package: "swift-log")
let arguments: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")
let configuration: Target.Dependency = .product(name: "Configuration", package: "swift-configuration")
let crypto: Target.Dependency = .product(name: "Crypto", package: "swift-crypto")
let signals: Target.Dependency = .product(name: "UnixSignals", package: "swift-service-lifecycle")
let lifecycle: Target.Dependency = .product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let metrics: Target.Dependency = .product(name: "Metrics", package: "swift-metrics")
let metricsCore: Target.Dependency = .product(name: "CoreMetrics", package: "swift-metrics")
let hummingbird: Target.Dependency = .product(name: "Hummingbird", package: "hummingbird")
let hummingbirdCore: Target.Dependency = .product(name: "HummingbirdCore", package: "hummingbird")
let httpTypes: Target.Dependency = .product(name: "HTTPTypes", package: "swift-http-types")
let channels: Target.Dependency = .product(name: "NIOCore", package: "swift-nio")
let system: Target.Dependency = .product(name: "SystemPackage", package: "swift-system")
let tracing: Target.Dependency = .product(name: "Tracing", package: "swift-distributed-tracing")
let spans: Target.Dependency = .product(name: "InMemoryTracing", package: "swift-distributed-tracing")
let subprocess: Target.Dependency = .product(name: "Subprocess", package: "swift-subprocess")

/// The SQL travels inside the program.
let migrations: [Resource] =
    [
        "0001_platform", "0002_worker", "0003_suspects", "0004_traces", "0005_set_aside", "0006_workers",
        "0007_requesters", "0008_disks", "0009_batches", "0010_ledger_times",
    ].map {
        .embedInCode("Schemas/sql/\($0).sql")
    }

/// Version and commit of the program, one a line; who builds a release writes them.
let release = Resource.embedInCode("release.txt")

/// Fewer pages to be resident: sections of their own for code, relocations packed (glibc 2.36), no names for plug-ins.
let small = LinkerSetting.unsafeFlags(
    ["-use-ld=lld", "-Xlinker", "-z", "-Xlinker", "pack-relative-relocs", "-Xlinker", "--no-export-dynamic"],
    .when(configuration: .release)
)

let package = Package(
    name: "gpudev-worker",
    products: [.executable(name: "gpudev-worker", targets: ["GPUDevWorker"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0"),
        .package(url: "https://github.com/apple/swift-configuration", from: "1.0.0", traits: []),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-distributed-tracing", from: "1.7.3"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0", traits: []),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-system", from: "1.5.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.8.0"),
        .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2", traits: []),
    ],
    targets: [
        .systemLibrary(name: "CLinux"),
        .systemLibrary(name: "CRabbitMQ", pkgConfig: "librabbitmq", providers: [.apt(["librabbitmq-dev"])]),
        .systemLibrary(name: "CPostgres", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
        .systemLibrary(name: "CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
        .systemLibrary(name: "CExpat", pkgConfig: "expat", providers: [.apt(["libexpat1-dev"])]),
        .systemLibrary(name: "CYAML", pkgConfig: "yaml-0.1", providers: [.apt(["libyaml-dev"])]),
        .target(name: "EventLoops", dependencies: ["CLinux"], swiftSettings: settings),
        .target(name: "MetricFamilies", dependencies: [metricsCore], swiftSettings: memorySafe),
        .target(
            name: "Calls",
            dependencies: ["MetricFamilies", "Traces", metrics, tracing],
            swiftSettings: memorySafe
        ),
        .target(
            name: "Postgres",
            dependencies: [
                "CPostgres", "Calls", "EventLoops", "MetricFamilies", "Traces", log, metrics, tracing,
            ],
            swiftSettings: settings
        ),
        .target(
            name: "RabbitMQ",
            dependencies: ["CRabbitMQ", "Calls", "EventLoops", log],
            swiftSettings: settings
        ),
        .target(name: "XML", dependencies: ["CExpat"], swiftSettings: settings),
        .target(name: "YAML", dependencies: ["CYAML"], swiftSettings: settings),
        .target(name: "HTTP", dependencies: ["CCurl"], swiftSettings: settings),
        .target(
            name: "AWS",
            dependencies: ["Calls", "HTTP", "MetricFamilies", "XML", crypto, log, tracing],
            swiftSettings: memorySafe
        ),
        .target(
            name: "Kubernetes",
            dependencies: [
                "Calls", "HTTP", "MetricFamilies", "YAML", crypto, log, subprocess, system, tracing,
            ],
            swiftSettings: memorySafe
        ),
        .target(
            name: "Jobs",
            dependencies: [
                "Calls", "EventLoops", "MetricFamilies", "Postgres", "RabbitMQ", "Traces", log, metrics,
                tracing,
            ],
            swiftSettings: memorySafe
        ),
        .target(name: "Platform", dependencies: ["Jobs", "Postgres"], swiftSettings: memorySafe),
        .target(
            name: "Disks",
            dependencies: [
                "AWS", "Jobs", "Kubernetes", "MetricFamilies", "Platform", "Postgres", log, metrics,
            ],
            swiftSettings: memorySafe
        ),
        .target(
            name: "Reservations",
            dependencies: [
                "AWS", "Jobs", "Kubernetes", "MetricFamilies", "Platform", "Postgres", log, metrics,
            ],
            swiftSettings: memorySafe
        ),
        .target(
            name: "Capacity",
            dependencies: ["AWS", "Jobs", "Kubernetes", "Postgres"],
            swiftSettings: memorySafe
        ),
        .target(name: "Traces", dependencies: [tracing], swiftSettings: memorySafe),
        .target(
            name: "OpenTelemetry",
            dependencies: ["Calls", "HTTP", "Traces", lifecycle, log, tracing],
            swiftSettings: memorySafe
        ),
        .target(
            name: "Prometheus",
            dependencies: ["MetricFamilies", metricsCore],
            swiftSettings: memorySafe
        ),
        .target(
            name: "Admin",
            dependencies: [channels, hummingbird, hummingbirdCore, httpTypes, lifecycle, log],
            swiftSettings: memorySafe
        ),
        .executableTarget(
            name: "GPUDevWorker",
            dependencies: [
                "AWS", "Admin", "Calls", "Capacity", "Disks", "EventLoops", "HTTP", "Jobs", "Kubernetes",
                "MetricFamilies", "OpenTelemetry", "Platform", "Postgres", "Prometheus", "RabbitMQ",
                "Reservations", "Traces",
                arguments,
                configuration, crypto, lifecycle, log, metrics, signals, tracing,
            ],
            exclude: ["Schemas/asyncapi.yaml", "Schemas/events", "Schemas/jobs"],
            resources: migrations + [release],
            swiftSettings: memorySafe,
            linkerSettings: [small]
        ),
        .target(
            name: "Fuzzing",
            dependencies: ["RabbitMQ"],
            path: "Tests/Fuzzing",
            exclude: ["Samples"],
            swiftSettings: settings
        ),
        .testTarget(name: "XMLTests", dependencies: ["Fuzzing", "XML"], swiftSettings: settings),
        .testTarget(name: "YAMLTests", dependencies: ["Fuzzing", "YAML"], swiftSettings: settings),
        .testTarget(
            name: "CallsTests",
            dependencies: ["Calls", "Fuzzing", "MetricFamilies", "Traces", spans, tracing],
            swiftSettings: settings
        ),
        .testTarget(name: "TracesTests", dependencies: ["Traces"], swiftSettings: settings),
        .testTarget(
            name: "OpenTelemetryTests",
            dependencies: ["OpenTelemetry", "Traces", tracing],
            swiftSettings: settings
        ),
        .testTarget(
            name: "JobsTests",
            dependencies: ["Calls", "EventLoops", "Fuzzing", "Jobs", "Postgres", "RabbitMQ", log],
            swiftSettings: settings
        ),
        .testTarget(name: "PlatformTests", dependencies: ["Jobs", "Platform"], swiftSettings: settings),
        .testTarget(
            name: "DisksTests",
            dependencies: ["AWS", "Disks", "Fuzzing", "Jobs", "Kubernetes", "Platform"],
            swiftSettings: settings
        ),
        .testTarget(
            name: "ReservationsTests",
            dependencies: ["AWS", "Fuzzing", "Jobs", "Kubernetes", "Platform", "Reservations"],
            swiftSettings: settings
        ),
        .target(
            name: "Worlds",
            dependencies: [
                "AWS", "Disks", "EventLoops", "Fuzzing", "HTTP", "Jobs", "Platform", "Postgres",
                "Reservations",
                log,
            ],
            path: "Tests/Worlds",
            swiftSettings: settings
        ),
        .testTarget(name: "WorldsTests", dependencies: ["Worlds"], swiftSettings: settings),
        .testTarget(
            name: "GPUDevWorkerTests",
            dependencies: ["Fuzzing", "GPUDevWorker"],
            swiftSettings: settings
        ),
        .testTarget(
            name: "RabbitMQTests",
            dependencies: ["RabbitMQ", "EventLoops", "Fuzzing", "HTTP", log],
            swiftSettings: settings
        ),
        .testTarget(
            name: "PostgresTests",
            dependencies: ["EventLoops", "Fuzzing", "Postgres"],
            swiftSettings: settings
        ),
        .target(
            name: "HTTPPeers",
            path: "Tests/HTTPTests/Peers",
            exclude: ["scripted.py"],
            swiftSettings: settings,
        ),
        .testTarget(
            name: "HTTPTests",
            dependencies: ["HTTP", "HTTPPeers"],
            exclude: ["Peers"],
            swiftSettings: settings,
        ),
        .testTarget(
            name: "AWSTests",
            dependencies: ["AWS", "Calls", "Fuzzing", "HTTP", "HTTPPeers", "XML", crypto, log],
            exclude: ["Peers"],
            swiftSettings: settings,
        ),
        .testTarget(
            name: "KubernetesTests",
            dependencies: ["Calls", "Fuzzing", "HTTP", "HTTPPeers", "Kubernetes", log],
            swiftSettings: settings,
        ),
        .testTarget(
            name: "CapacityTests",
            dependencies: ["AWS", "Capacity", "Kubernetes"],
            swiftSettings: settings
        ),
        .testTarget(
            name: "PrometheusTests",
            dependencies: ["MetricFamilies", "Prometheus", metrics, metricsCore],
            swiftSettings: settings
        ),
        .testTarget(name: "EventLoopsTests", dependencies: ["EventLoops"], swiftSettings: settings),
    ],
)

// A sanitizer is put to the targets that hold pointers and threads. The others are values and calls of these, and
// BoringSSL, which they need, takes longer to build than all of this together.
if Context.environment["GPUDEV_SANITIZED"] != nil {
    let sanitized = [
        "CLinux", "CRabbitMQ", "CPostgres", "CCurl", "CExpat", "CYAML", "EventLoops", "Calls",
        "MetricFamilies", "Postgres", "RabbitMQ", "HTTP", "XML", "YAML", "Traces", "Jobs",
    ]
    let tests = [
        "Fuzzing", "HTTPPeers", "EventLoopsTests", "CallsTests", "PostgresTests", "RabbitMQTests",
        "HTTPTests",
        "XMLTests", "YAMLTests", "JobsTests",
    ]
    package.targets.removeAll { !(sanitized + tests).contains($0.name) }
    package.products = []
}
