package import AWS
import Jobs

extension VolumeID: PayloadValue {
    package static var requirement: String { "the id of a volume, such as vol-0123456789abcdef0" }

    package init?(wire: String) {
        guard wire.wholeMatch(of: /vol-[0-9a-f]{8,17}/) != nil else { return nil }
        self.init(rawValue: wire)
    }
}
