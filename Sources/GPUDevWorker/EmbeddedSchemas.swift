import Postgres

/// The schemas that travel inside the program.
enum EmbeddedSchemas {
    static let migrations = Migrations([
        Migration(version: 1, name: "platform", sql: Self.text(PackageResources._001_platform_sql)),
        Migration(version: 2, name: "worker", sql: Self.text(PackageResources._002_worker_sql)),
        Migration(version: 3, name: "suspects", sql: Self.text(PackageResources._003_suspects_sql)),
    ])

    /// The JSON Schema of a kind's payload, by kind.
    static let payloads = [
        "disk.create": Self.text(PackageResources.disk_create_json),
        "disk.create-snapshot": Self.text(PackageResources.disk_create_snapshot_json),
        "disk.reconcile-volume": Self.text(PackageResources.disk_reconcile_volume_json),
        "reservation.create-target-group": Self.text(PackageResources.reservation_create_target_group_json),
        "reservation.map-dns": Self.text(PackageResources.reservation_map_dns_json),
    ]

    private static func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
}
