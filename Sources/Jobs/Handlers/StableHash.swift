/// FNV-1a of 64 bits: the same in every process, unlike Swift's own.
package struct StableHash: Sendable {
    package let value: UInt64

    /// Another `seed` gives another hash of the same text.
    package init(_ text: String, seed: UInt64 = 0) {
        self.value = text.utf8.reduce(0xcbf2_9ce4_8422_2325 ^ seed) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    }
}
