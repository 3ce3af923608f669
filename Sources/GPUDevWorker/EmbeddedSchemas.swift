import Postgres

/// The schemas that travel inside the program.
enum EmbeddedSchemas {
    static let migrations = Migrations([
        Migration(version: 1, name: "platform", sql: Self.text(PackageResources._001_platform_sql)),
        Migration(version: 2, name: "worker", sql: Self.text(PackageResources._002_worker_sql)),
        Migration(version: 3, name: "suspects", sql: Self.text(PackageResources._003_suspects_sql)),
        Migration(version: 4, name: "traces", sql: Self.text(PackageResources._004_traces_sql)),
    ])

    /// The JSON Schema of a kind's payload, by kind.
    static let payloads = [
        "capacity.refresh": Self.text(PackageResources.capacity_refresh_json),
        "disk.capture-contents": Self.text(PackageResources.disk_capture_contents_json),
        "disk.complete-snapshot": Self.text(PackageResources.disk_complete_snapshot_json),
        "disk.create": Self.text(PackageResources.disk_create_json),
        "disk.create-snapshot": Self.text(PackageResources.disk_create_snapshot_json),
        "disk.delete": Self.text(PackageResources.disk_delete_json),
        "disk.prune-snapshots": Self.text(PackageResources.disk_prune_snapshots_json),
        "disk.reconcile-all": Self.text(PackageResources.disk_reconcile_all_json),
        "disk.reconcile-volume": Self.text(PackageResources.disk_reconcile_volume_json),
        "disk.release": Self.text(PackageResources.disk_release_json),
        "disk.restore": Self.text(PackageResources.disk_restore_json),
        "disk.undelete": Self.text(PackageResources.disk_undelete_json),
        "reservation.create-target-group": Self.text(PackageResources.reservation_create_target_group_json),
        "reservation.delete-target-group": Self.text(PackageResources.reservation_delete_target_group_json),
        "reservation.map-dns": Self.text(PackageResources.reservation_map_dns_json),
        "reservation.sweep": Self.text(PackageResources.reservation_sweep_json),
        "reservation.tear-down": Self.text(PackageResources.reservation_tear_down_json),
        "reservation.unmap-dns": Self.text(PackageResources.reservation_unmap_dns_json),
    ]

    private static func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
}
