import Jobs
import Platform
import Testing

struct DestructionLimitTests {
    @Test(arguments: [
        (10, 0, true), (10, 50, true), (11, 50, false), (11, 55, true), (20, 100, true), (21, 100, false),
    ])
    func `a sweep may remove ten things, or a fifth of what it knows`(
        doomed: Int,
        known: Int,
        isAllowed: Bool,
    ) {
        #expect((DestructionLimit.refusal(removing: doomed, of: known, "volumes") == nil) == isAllowed)
    }
}
