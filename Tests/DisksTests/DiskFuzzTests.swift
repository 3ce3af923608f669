import AWS
import Fuzzing
import Platform
import Testing

@testable import Disks
@testable import Jobs

@Suite struct DiskFuzzTests {
    private static let words = [
        "\"user_id\":", "\"disk_name\":", "\"size_gb\":", "\"volume_id\":\"vol-0123456789abcdef0\"", "null",
        "\\u0000",
        "\\ud800", "\\n", "\u{7F}", "s3://", "1.2G", "{", "}", "\"", "true",
    ]

    @Test func `payloads of disk jobs are as their rules say, or their faults are named`() throws {
        var kinds = KindTable()
        kinds.register(CreateDisk())
        let create = try #require(kinds["disk.create"])
        let samples = try Samples.jobs()
        try Fuzzer("disk payloads", samples: samples, words: Self.words).run { bytes in
            guard let body = try? JobBody(bytes) else { return }
            try Self.reading { _ = try create.prepare(body) }
            try Self.reading {
                let payload = try CreateDisk.Payload.shape.decode(body)
                try Self.check(payload.user, payload.disk)
                try hold(1...16384 ~= payload.size.gibibytes, "the size is out of range")
            }
            try Self.reading {
                let payload = try CreateSnapshot.Payload.shape.decode(body)
                try Self.check(payload.user, payload.disk)
                if let usage = payload.usage { try Self.check(usage) }
                if let content = payload.content { try Self.check(content) }
                if let volume = payload.volume { try Self.check(volume) }
            }
            try Self.reading {
                let payload = try RestoreDisk.Payload.shape.decode(body)
                try Self.check(payload.user, payload.disk)
                try hold(Self.isSpelled(payload.zone.description, "-"), "no zone")
            }
            try Self.reading {
                let payload = try ReleaseDisk.Payload.shape.decode(body)
                try Self.check(payload.user, payload.disk)
            }
            try Self.reading {
                let payload = try DeleteDisk.Payload.shape.decode(body)
                try Self.check(payload.user, payload.disk)
                if let date = payload.date { try hold(Self.isSpelled(date.description, "-"), "no day") }
            }
            try Self.reading {
                let payload = try CaptureContents.Payload.shape.decode(body)
                try Self.check(payload.user, payload.disk)
                try hold(payload.path.text.utf8.first == UInt8(ascii: "/"), "no absolute path")
            }
            try Self.reading { _ = try PruneSnapshots.Payload.shape.decode(body) }
            try Self.reading {
                try Self.check(try ReconcileVolume.Payload.shape.decode(body).volume)
            }
        }
    }

    @Test func `names, sizes and places of disks are spelled as their rules say`() throws {
        let samples = [
            "home", "training-data_2", "1.2G", "873M", "0", "s3://bucket/a/b c.txt", "vol-0123456789abcdef0",
            "alice@example.com",
        ]
        try Fuzzer("disk names", texts: samples, words: ["s3://", "/", "vol-", ".", "G", "\n", "-"]).run {
            bytes in
            let text = String(decoding: bytes, as: UTF8.self)
            if let disk = DiskName(wire: text), let user = UserID(wire: text) { try Self.check(user, disk) }
            if let usage = DiskUsage(wire: text) { try Self.check(usage) }
            if let content = ContentURI(wire: text) { try Self.check(content) }
            if let volume = VolumeID(wire: text) { try Self.check(volume) }
        }
    }

    private static func reading(_ read: () throws -> Void) throws {
        do { try read() } catch is Malformed {} catch let faults as PayloadFaults {
            try hold(!faults.faults.isEmpty, "refused without a reason")
        }
    }

    private static func check(_ user: UserID, _ disk: DiskName) throws {
        try hold(1...255 ~= user.description.unicodeScalars.count, "the user's length")
        try hold(
            user.description.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F },
            "a control character in the user"
        )
        try hold(1...128 ~= disk.description.utf8.count, "the disk's length")
        try hold(Self.isSpelled(disk.description, "_-"), "another character in the disk's name")
    }

    private static func check(_ usage: DiskUsage) throws {
        try hold(Self.isSpelled(usage.text, ".,"), "another character in the usage")
        try hold(usage.text.utf8.count <= 32, "the usage's length")
    }

    private static func check(_ content: ContentURI) throws {
        try hold(content.text.utf8.starts(with: "s3://".utf8), "no S3 URI")
        try hold(content.text.unicodeScalars.count <= 256, "the URI's length")
    }

    private static func check(_ volume: VolumeID) throws {
        try hold(volume.rawValue.utf8.starts(with: "vol-".utf8), "no volume")
        try hold(Self.isSpelled(volume.rawValue, "-") && 12...21 ~= volume.rawValue.utf8.count, "no volume")
    }

    private static func isSpelled(_ text: String, _ others: String) -> Bool {
        text.utf8.allSatisfy { byte in
            let scalar = Unicode.Scalar(byte)
            let isAlphanumeric = scalar.properties.isAlphabetic || ("0"..."9").contains(scalar)
            return scalar.isASCII && (isAlphanumeric || others.utf8.contains(byte))
        }
    }
}
