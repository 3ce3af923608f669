import Foundation
import Platform

/// What EC2 has in one world, with what nobody outside can see: which version of which disk each thing holds.
struct AWSModel: Sendable {
    struct Volume: Sendable {
        let id: String
        var state = "available"
        let zone: String
        let size: Int
        let snapshot: String?
        var created: Date
        var instance: String?
        var tags: [String: String]
        /// Whose data it really is; nil if nobody's.
        var owner: DiskName?
        var version: Int
    }

    struct Snapshot: Sendable {
        let id: String
        let volume: String
        var state = "pending"
        let size: Int
        var begun: Date
        /// When it ends, and how.
        var end: Date
        let endState: String
        let description: String
        var tags: [String: String]
        var owner: DiskName?
        let version: Int
    }

    /// One call that changed, or would have copied, something.
    struct Deed: Sendable {
        let action: String
        let resource: String
        let owner: DiskName?
        let version: Int
        /// What else held the disk's data just before.
        let others: [Snapshot]
        let tags: [String: String]
    }

    private(set) var deeds: [Deed] = []
    var volumes: [String: Volume] = [:]
    var snapshots: [String: Snapshot] = [:]
    /// How many more calls may change something before the worker dies; nil if it lives.
    var changesLeft: Int?
    private(set) var hasDied = false
    private var tokens: [String: (asked: [String: String], volume: String)] = [:]
    private var serial = 0
    private var fortune: UInt64 = 0x9E37

    mutating func newID(_ prefix: String) -> String {
        self.serial += 1
        let digits = String(self.serial, radix: 16)
        return "\(prefix)-" + String(repeating: "0", count: 17 - digits.count) + digits
    }

    mutating func clearDeeds() {
        self.deeds = []
        self.hasDied = false
        self.changesLeft = nil
    }

    /// Every time moves into the past, as if so much had gone by.
    mutating func advance(_ seconds: Double, days: Int = 0) {
        for id in self.volumes.keys {
            self.volumes[id]?.created -= seconds
            self.volumes[id]?.tags.shift(by: seconds, days: days)
        }
        for id in self.snapshots.keys {
            self.snapshots[id]?.begun -= seconds
            self.snapshots[id]?.end -= seconds
            self.snapshots[id]?.tags.shift(by: seconds, days: days)
        }
        self.settle()
    }

    /// Ends the snapshots whose time has come.
    mutating func settle() {
        for (id, snapshot) in self.snapshots where snapshot.state == "pending" && snapshot.end <= Date() {
            self.snapshots[id]?.state = snapshot.endState
        }
    }
}

extension AWSModel {
    /// The answer to a form of EC2's query protocol, as status and body.
    mutating func answer(_ form: Form) -> (status: Int, body: String) {
        self.settle()
        do throws(Refusal) {
            let isRead = form.action.hasPrefix("Describe")
            if self.hasDied { throw Refusal("UnauthorizedOperation", "the worker is dead", status: 403) }
            if !isRead, let left = self.changesLeft {
                // The change takes effect, and the worker never hears of it.
                if left == 0 {
                    self.hasDied = true
                    _ = try self.result(of: form)
                    throw Refusal("UnauthorizedOperation", "the worker is dead", status: 403)
                }
                self.changesLeft = left - 1
            }
            let content = try self.result(of: form)
            let name = "\(form.action)Response"
            return (
                200,
                "<\(name) xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><requestId>r</requestId>\(content)</\(name)>"
            )
        } catch {
            return (
                error.status,
                "<Response><Errors><Error><Code>\(error.code)</Code><Message>\(error.message.escaped)</Message>"
                    + "</Error></Errors><RequestID>r</RequestID></Response>"
            )
        }
    }

    private mutating func result(of form: Form) throws(Refusal) -> String {
        switch form.action {
        case "DescribeVolumes": return try self.describeVolumes(form)
        case "DescribeSnapshots": return try self.describeSnapshots(form)
        case "DescribeInstances": return "<reservationSet/>"
        case "CreateVolume": return try self.createVolume(form)
        case "CreateSnapshot": return try self.createSnapshot(form)
        case "DeleteVolume": return try self.deleteVolume(form)
        case "DeleteSnapshot": return try self.deleteSnapshot(form)
        case "DetachVolume": return try self.detach(form)
        case "CreateTags", "DeleteTags": return try self.tag(form)
        // No reservation here has a route.
        case "DescribeTargetGroups":
            throw Refusal("TargetGroupNotFound", "One or more target groups not found")
        default: throw Refusal("InvalidAction", "there is no \(form.action) here")
        }
    }

    private func describeVolumes(_ form: Form) throws(Refusal) -> String {
        let ids = form.list("VolumeId")
        if let id = ids.first(where: { self.volumes[$0] == nil }) { throw .noVolume(id) }
        let found = self.volumes.values.filter { volume in
            (ids.isEmpty || ids.contains(volume.id))
                && form.filters.allSatisfy { $0.admits(volume.tags, volume.state, volume: volume.id) }
        }
        return
            "<volumeSet>\(found.sorted { $0.id < $1.id }.map { "<item>\($0.xml)</item>" }.joined())</volumeSet>"
    }

    private func describeSnapshots(_ form: Form) throws(Refusal) -> String {
        let ids = form.list("SnapshotId")
        if let id = ids.first(where: { self.snapshots[$0] == nil }) { throw .noSnapshot(id) }
        let found = self.snapshots.values.filter { snapshot in
            (ids.isEmpty || ids.contains(snapshot.id))
                && form.filters.allSatisfy {
                    $0.admits(snapshot.tags, snapshot.state, volume: snapshot.volume)
                }
        }
        return
            "<snapshotSet>\(found.sorted { $0.id < $1.id }.map { "<item>\($0.xml)</item>" }.joined())</snapshotSet>"
    }

    private mutating func createVolume(_ form: Form) throws(Refusal) -> String {
        // The times in the tags are those of the row, which moves into the past with everything else.
        let asked = form.fields.filter { !["ClientToken"].contains($0.key) && !$0.value.isTime }
        if let token = form["ClientToken"], let made = self.tokens[token] {
            guard made.asked == asked else {
                throw Refusal("IdempotentParameterMismatch", "the token was used with other parameters")
            }
            guard let volume = self.volumes[made.volume] else { throw .noVolume(made.volume) }
            return volume.xml
        }
        var source: Snapshot?
        if let id = form["SnapshotId"] {
            guard let snapshot = self.snapshots[id] else { throw .noSnapshot(id) }
            guard snapshot.state == "completed" else {
                throw Refusal("IncorrectState", "snapshot is in invalid state - \(snapshot.state)")
            }
            source = snapshot
        }
        let volume = Volume(
            id: self.newID("vol"),
            zone: form["AvailabilityZone"] ?? "",
            size: Int(form["Size"] ?? "") ?? source?.size ?? 1,
            snapshot: source?.id,
            created: Date(),
            tags: form.tags("TagSpecification.1.Tag"),
            owner: source?.owner ?? DiskName(form.tags("TagSpecification.1.Tag")),
            version: source?.version ?? 0
        )
        self.note("CreateVolume", source?.id ?? volume.id, source?.owner ?? volume.owner, volume.version, [:])
        self.volumes[volume.id] = volume
        if let token = form["ClientToken"] { self.tokens[token] = (asked, volume.id) }
        var fresh = volume
        fresh.state = "creating"
        return fresh.xml
    }

    private mutating func createSnapshot(_ form: Form) throws(Refusal) -> String {
        let id = form["VolumeId"] ?? ""
        guard let volume = self.volumes[id] else { throw .noVolume(id) }
        guard volume.state != "error" else { throw Refusal("IncorrectState", "volume \(id) is in error") }
        self.fortune = self.fortune &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        let luck = self.fortune >> 33 & 0xF
        let snapshot = Snapshot(
            id: self.newID("snap"),
            volume: id,
            size: volume.size,
            begun: Date(),
            end: Date() + (luck % 4 == 0 ? 3_600 : 20),
            endState: luck == 7 ? "error" : "completed",
            description: form["Description"] ?? "",
            tags: form.tags("TagSpecification.1.Tag"),
            owner: volume.owner,
            version: volume.version
        )
        self.note("CreateSnapshot", id, volume.owner, volume.version, snapshot.tags)
        self.snapshots[snapshot.id] = snapshot
        return snapshot.xml
    }

    private mutating func deleteVolume(_ form: Form) throws(Refusal) -> String {
        let id = form["VolumeId"] ?? ""
        guard let volume = self.volumes[id] else { throw .noVolume(id) }
        guard volume.instance == nil else {
            throw Refusal("VolumeInUse", "volume \(id) is currently attached to \(volume.instance ?? "")")
        }
        let version = volume.state == "error" ? 0 : volume.version
        self.note("DeleteVolume", id, volume.owner, version, volume.tags)
        self.volumes[id] = nil
        return "<return>true</return>"
    }

    private mutating func deleteSnapshot(_ form: Form) throws(Refusal) -> String {
        let id = form["SnapshotId"] ?? ""
        guard let snapshot = self.snapshots.removeValue(forKey: id) else { throw .noSnapshot(id) }
        let version = snapshot.state == "error" ? 0 : snapshot.version
        self.note("DeleteSnapshot", id, snapshot.owner, version, snapshot.tags)
        return "<return>true</return>"
    }

    private mutating func detach(_ form: Form) throws(Refusal) -> String {
        let id = form["VolumeId"] ?? ""
        guard let volume = self.volumes[id] else { throw .noVolume(id) }
        guard volume.instance != nil else {
            throw Refusal("IncorrectState", "volume '\(id)' is in the 'available' state.")
        }
        self.note("DetachVolume", id, volume.owner, volume.version, volume.tags)
        self.volumes[id]?.instance = nil
        self.volumes[id]?.state = "available"
        return "<volumeId>\(id)</volumeId><status>detaching</status>"
    }

    /// All or nothing (Amazon EC2 API Reference, CreateTags).
    private mutating func tag(_ form: Form) throws(Refusal) -> String {
        let ids = form.list("ResourceId")
        for id in ids where self.volumes[id] == nil && self.snapshots[id] == nil {
            throw id.hasPrefix("vol") ? .noVolume(id) : .noSnapshot(id)
        }
        let tags = form.tags("Tag")
        for id in ids {
            let (volume, snapshot) = (self.volumes[id], self.snapshots[id])
            self.note(form.action, id, volume?.owner ?? snapshot?.owner, 0, tags)
            for (key, value) in tags {
                let value = form.action == "CreateTags" ? value : nil
                if volume != nil { self.volumes[id]?.tags[key] = value }
                if snapshot != nil { self.snapshots[id]?.tags[key] = value }
            }
        }
        return "<return>true</return>"
    }

    /// The data of a disk that has another name is that one's.
    mutating func rename(_ disk: DiskName, to name: DiskName) {
        for id in self.volumes.keys where self.volumes[id]?.owner == disk { self.volumes[id]?.owner = name }
        for id in self.snapshots.keys where self.snapshots[id]?.owner == disk {
            self.snapshots[id]?.owner = name
        }
    }

    private mutating func note(
        _ action: String,
        _ resource: String,
        _ owner: DiskName?,
        _ version: Int,
        _ tags: [String: String]
    ) {
        let others = self.snapshots.values.filter { $0.owner == owner && $0.id != resource }
        self.deeds.append(
            Deed(
                action: action,
                resource: resource,
                owner: owner,
                version: version,
                others: others,
                tags: tags
            )
        )
    }
}

/// An answer of AWS that is none.
struct Refusal: Error {
    let code: String
    let message: String
    let status: Int

    init(_ code: String, _ message: String, status: Int = 400) {
        self.code = code
        self.message = message
        self.status = status
    }

    static func noVolume(_ id: String) -> Refusal {
        Refusal("InvalidVolume.NotFound", "The volume '\(id)' does not exist.")
    }

    static func noSnapshot(_ id: String) -> Refusal {
        Refusal("InvalidSnapshot.NotFound", "The snapshot '\(id)' does not exist.")
    }
}

extension AWSModel.Volume {
    /// The elements of a volume (Amazon EC2 API Reference, Volume).
    var xml: String {
        let attachment =
            self.instance.map {
                "<item><volumeId>\(self.id)</volumeId><instanceId>\($0)</instanceId><device>/dev/xvdf</device>"
                    + "<status>attached</status></item>"
            } ?? ""
        return
            "<volumeId>\(self.id)</volumeId><size>\(self.size)</size><snapshotId>\(self.snapshot ?? "")</snapshotId>"
            + "<availabilityZone>\(self.zone)</availabilityZone><status>\(self.state)</status>"
            + "<createTime>\(self.created.wire)</createTime><attachmentSet>\(attachment)</attachmentSet>"
            + self.tags.xml + "<volumeType>gp3</volumeType>"
    }
}

extension AWSModel.Snapshot {
    /// The elements of a snapshot (Amazon EC2 API Reference, Snapshot).
    var xml: String {
        "<snapshotId>\(self.id)</snapshotId><volumeId>\(self.volume)</volumeId><status>\(self.state)</status>"
            + "<startTime>\(self.begun.wire)</startTime><progress>\(self.state == "pending" ? "7%" : "100%")</progress>"
            + "<volumeSize>\(self.size)</volumeSize><description>\(self.description.escaped)</description>"
            + self.tags.xml
    }
}

extension [String: String] {
    fileprivate var xml: String {
        let items = self.sorted { $0.key < $1.key }.map {
            "<item><key>\($0.key.escaped)</key><value>\($0.value.escaped)</value></item>"
        }
        return "<tagSet>\(items.joined())</tagSet>"
    }

    /// Days and times in tags move with everything else.
    fileprivate mutating func shift(by seconds: Double, days: Int) {
        for key in ["gpu-dev-quarantined", "quarantine-timestamp", "quarantine-deletion-date"] {
            if let date = self[key].flatMap({ try? Date($0, strategy: .iso8601) }) {
                self[key] = (date - seconds).formatted(.iso8601)
            }
        }
        if days > 0,
            let day = self["delete-date"].flatMap({ try? Date("\($0)T12:00:00Z", strategy: .iso8601) })
        {
            self["delete-date"] = (day - Double(days) * 86_400).day
        }
    }
}

extension Date {
    var wire: String { self.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true)) }
    var day: String { String(self.formatted(.iso8601).prefix(10)) }
}

extension String {
    fileprivate var isTime: Bool { self.count == 10 && self.allSatisfy(\.isNumber) }

    fileprivate var escaped: String {
        guard
            self.utf8.contains(where: {
                [UInt8(ascii: "&"), UInt8(ascii: "<"), UInt8(ascii: ">")].contains($0)
            })
        else { return self }
        return self.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
    }
}
