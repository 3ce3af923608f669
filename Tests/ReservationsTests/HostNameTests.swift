import AWS
import Testing

@testable import Reservations

@Suite struct `A host name` {
    @Test(
        arguments: [
            ("Alice Training", "alice-training"), ("a_b.c", "a-b-c"), ("--x--y--", "x-y"), ("héllo", "hllo"),
            ("Foo_Bar.", "foo-bar"),
            ("a" + String(repeating: "b", count: 80), "a" + String(repeating: "b", count: 62)),
            (String(repeating: "c", count: 62) + "-d", String(repeating: "c", count: 62)),
        ]
    )
    func `is made of a wish in any spelling`(_ wish: String, _ name: String) {
        #expect(HostName(wish: wish)?.description == name)
    }

    @Test(arguments: ["", "---", "___", "12345", "日本語", "...", "🦦"])
    func `is not made of what leaves nothing usable`(_ wish: String) {
        #expect(HostName(wish: wish) == nil)
    }

    @Test(arguments: ["", "-a", "a-", "A", "a_b", "a.b", String(repeating: "a", count: 64)])
    func `in a payload is a label of RFC 1123`(_ text: String) {
        #expect(HostName(wire: text) == nil)
    }

    @Test func `is offered first as wished, then with numbers, then at random`() throws {
        let names = HostNameCandidates(wish: "Alice").map(\.description)
        #expect(names.prefix(3) == ["alice", "alice-2", "alice-3"])
        #expect(names.count == 999 + 100)
        #expect(names[998] == "alice-999")
    }

    @Test func `keeps its number when the wish is as long as a label can be`() {
        let longest = String(repeating: "a", count: 63)
        let names = Array(HostNameCandidates(wish: longest).prefix(2).map(\.description))
        #expect(names == [longest, String(repeating: "a", count: 61) + "-2"])
    }

    @Test(arguments: ["www", "SSH", "test", "ns1"])
    func `of the infrastructure is never given away`(_ wish: String) {
        let names = Set(HostNameCandidates(wish: wish).map(\.description))
        #expect(names.isDisjoint(with: HostName.reserved))
    }

    @Test func `that an installation reserves is never given away`() {
        let reserved: Set = ["grafana", "grafana-2"]
        let names = HostNameCandidates(wish: "Grafana", reserved: reserved).prefix(3).map(\.description)
        #expect(names == ["grafana-alt", "grafana-alt-2", "grafana-alt-3"])
        let others = HostNameCandidates(wish: "grafana-2", reserved: reserved).map(\.description)
        #expect(reserved.isDisjoint(with: others))
    }

    @Test func `of the load balancer is reserved where it lies in the same domain`() {
        let settings = DNSSettings(
            domainName: "devservers.example",
            hostedZoneID: HostedZoneID(rawValue: "Z1"),
            jupyterLoadBalancerDNS: "Balancer.devservers.example.",
            reservedNames: ["wiki"]
        )
        #expect(settings.reservedNames == HostName.reserved.union(["balancer", "wiki"]))
    }

    @Test func `at random has two words, and there are more than ten thousand`() throws {
        let name = try #require(HostNameCandidates(wish: nil).makeIterator().next())
        #expect(name.description.wholeMatch(of: /[a-z]+-[a-z]+/) != nil)
        #expect(Set(NameWords.adjectives).count * Set(NameWords.animals).count > 10_000)
        #expect(Set(NameWords.adjectives).count == NameWords.adjectives.count)
        #expect(Set(NameWords.animals).count == NameWords.animals.count)
    }
}
