import Jobs
import Platform
import Testing

@testable import Disks
@testable import Kubernetes

@Suite struct ListingTests {
    private func result(_ output: [UInt8], exitCode: Int? = 0, isTruncated: Bool = false) -> ExecResult {
        ExecResult(standardOutput: output, standardError: [], exitCode: exitCode, isTruncated: isTruncated)
    }

    @Test(
        arguments: [
            ("1.2G\t/home/dev\n---\n", "1.2G"), ("0\t/home/dev\n", "0"), ("873M", "873M"),
            ("---\n/home/dev\n", nil),
            ("du: cannot read\n---\n", nil), ("1.2G /home/dev\n", nil),
        ] as [(String, String?)]
    )
    func `how much is in use stands before the first tab`(output: String, usage: String?) {
        #expect(Listing(self.result(Array(output.utf8)))?.usage?.text == usage)
    }

    @Test func `no output is no listing`() {
        #expect(Listing(self.result([])) == nil)
    }

    @Test func `bytes and exit code pass through as they came`() throws {
        let bytes: [UInt8] = [0xFF, 0x00, 0xC3, 0x0A]
        let listing = try #require(Listing(self.result(bytes, exitCode: nil)))
        #expect(listing.bytes == bytes)
        #expect(listing.exitCode == nil && !listing.isTruncated)
    }

    @Test func `what was cut off ends after a whole line, and says so`() throws {
        let listing = try #require(Listing(self.result(Array("1G\t/\n---\n/a\n/ä".utf8), isTruncated: true)))
        #expect(listing.isTruncated)
        #expect(String(decoding: listing.bytes, as: UTF8.self) == "1G\t/\n---\n/a\n[cut off after 1 MiB]\n")
    }

    @Test func `a path goes to the command as it is, and not through the shell`() throws {
        let path = try #require(MountPath(wire: "/home/$(reboot); 'x'"))
        #expect(Listing.command(for: path).last == "/home/$(reboot); 'x'")
        #expect(!Listing.command(for: path)[2].contains("reboot"))
    }
}
