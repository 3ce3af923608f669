import Postgres

/// The SQL that travels inside the program.
enum EmbeddedSchemas {
    static let migrations = Migrations([
        Migration(version: 1, name: "platform", sql: Self.text(PackageResources._001_platform_sql)),
        Migration(version: 2, name: "worker", sql: Self.text(PackageResources._002_worker_sql)),
        Migration(version: 3, name: "suspects", sql: Self.text(PackageResources._003_suspects_sql)),
        Migration(version: 4, name: "traces", sql: Self.text(PackageResources._004_traces_sql)),
        Migration(version: 5, name: "set_aside", sql: Self.text(PackageResources._005_set_aside_sql)),
        Migration(version: 6, name: "workers", sql: Self.text(PackageResources._006_workers_sql)),
        Migration(version: 7, name: "requesters", sql: Self.text(PackageResources._007_requesters_sql)),
        Migration(version: 8, name: "disks", sql: Self.text(PackageResources._008_disks_sql)),
        Migration(version: 9, name: "batches", sql: Self.text(PackageResources._009_batches_sql)),
        Migration(version: 10, name: "ledger_times", sql: Self.text(PackageResources._010_ledger_times_sql)),
    ])

    private static func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
}
