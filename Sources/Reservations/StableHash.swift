/// FNV-1a of 64 bits: the same in every process, unlike Swift's own.
struct StableHash {
    let value: UInt64

    init(_ text: String) {
        self.value = text.utf8.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    }
}
