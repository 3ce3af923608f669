import AWS
import Foundation
import HTTPPeers
import Testing

@Suite(.timeLimit(.minutes(5))) struct Route53ClientTests {
    private func dns() throws -> Route53Client { Route53Client(try TestAWS.client()) }

    private func zone() async throws -> HostedZoneID {
        let name = TestAWS.uniqueName()
        let made = try await TestAWS.boto(
            "route53",
            "create_hosted_zone",
            ["Name": .string("example.org"), "CallerReference": .string(name)]
        )
        let id = try #require(made["HostedZone"]?["Id"]?.text)
        return HostedZoneID(rawValue: String(id.dropFirst("/hostedzone/".count)))
    }

    @Test func `records of one name come back exactly, and go exactly`() async throws {
        let (dns, zone) = (try self.dns(), try await self.zone())
        let alias = RecordSet(
            name: "otter.example.org",
            type: .cname,
            timeToLive: 60,
            values: ["lb.example.com"]
        )
        let port = RecordSet(
            name: "_port.otter.example.org",
            type: .txt,
            timeToLive: 60,
            values: ["\"8080 & <x>\""]
        )
        let change = try await dns.changeRecordSets(
            [.upsert(alias), .upsert(port)],
            in: zone,
            comment: "job <1> & more"
        )
        #expect(!change.id.isEmpty && !change.id.hasPrefix("/"))
        #expect(try await dns.change(change.id).isInSync)
        #expect(try await dns.records(named: "Otter.example.org.", in: zone) == [alias])
        #expect(try await dns.records(named: "_port.otter.example.org", in: zone) == [port])
        #expect(try await dns.records(named: "absent.example.org", in: zone).isEmpty)
        let seen = try await TestAWS.boto(
            "route53",
            "list_resource_record_sets",
            ["HostedZoneId": .string(zone.rawValue)]
        )
        let txt = seen["ResourceRecordSets"]?.elements.first { $0["Type"]?.text == "TXT" }
        #expect(txt?["ResourceRecords"]?[0]?["Value"]?.text == "\"8080 & <x>\"")
        try await dns.changeRecordSets([.delete(alias), .delete(port)], in: zone)
        #expect(try await dns.records(named: "otter.example.org", in: zone).isEmpty)
    }

    @Test func `a wildcard comes back as it was written`() async throws {
        let (dns, zone) = (try self.dns(), try await self.zone())
        let wildcard = RecordSet(name: "*.otter.example.org", type: .a, timeToLive: 30, values: ["192.0.2.1"])
        try await dns.changeRecordSets([.create(wildcard)], in: zone)
        #expect(try await dns.records(named: "*.otter.example.org", in: zone) == [wildcard])
    }

    @Test func `all pages of a zone come, and a limit is kept`() async throws {
        let (dns, zone) = (try self.dns(), try await self.zone())
        let changes = (0..<310).map { number in
            RecordChange.upsert(
                RecordSet(name: "n\(number).example.org", type: .a, timeToLive: 60, values: ["192.0.2.7"])
            )
        }
        try await dns.changeRecordSets(changes, in: zone)
        let all = try await dns.listRecordSets(in: zone)
        #expect(all.filter { $0.type == .a }.count == 310)
        #expect(Set(all).count == all.count)
        #expect(try await dns.listRecordSets(in: zone, from: "n1.example.org", type: .a, limit: 2).count == 2)
    }

    @Test func `an unknown zone is not found`() async throws {
        let dns = try self.dns()
        let error = await #expect(throws: AWSError.self) {
            try await dns.listRecordSets(in: "ZNOSUCHZONE")
        }
        #expect(error?.awsCode == "NoSuchHostedZone" && error?.code == .notFound)
    }

    @Test(arguments: [
        ("\\052.Example.org.", "*.example.org"), ("a\\040b.example.org.", "a b.example.org"),
        ("_port.x.example.org", "_port.x.example.org"), ("odd\\9.example.org.", "odd\\9.example.org"),
    ])
    func `names lose octal escapes, capitals and the final dot`(written: String, plain: String) {
        #expect(RecordSet.normalized(written) == plain)
    }
}
