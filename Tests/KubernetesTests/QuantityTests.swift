import Testing

@testable import Kubernetes

/// The texts and values are those of apimachinery's own tests and of the Kubernetes API reference.
@Suite struct QuantityTests {
    @Test(
        arguments: [
            ("0", 0), ("1", 1), ("2k", 2000), ("1Ki", 1024), ("8Ki", 8192), ("7Mi", 7_340_032),
            ("6Gi", 6_442_450_944), ("5Ti", 5_497_558_138_880), ("4Pi", 4_503_599_627_370_496),
            ("3Ei", 3_458_764_513_820_540_928), ("3M", 3_000_000), ("9E", 9_000_000_000_000_000_000),
            ("1E3", 1000), ("1e3", 1000), ("1E", 1_000_000_000_000_000_000), ("12.5e1", 125), ("100e-2", 1),
            ("1.5Gi", 1_610_612_736), ("0.5Mi", 524_288), ("1000m", 1), ("2000000u", 2), ("3000000000n", 3),
            ("+7", 7), ("-7", -7), ("5.", 5), ("00004", 4), ("-1Ki", -1024),
        ]
    )
    func `an amount without a fraction is a whole number`(text: String, value: Int) throws {
        let quantity = try #require(Quantity(text))
        #expect(quantity.whole == value && quantity == Quantity(value) && quantity.roundedUp == value)
    }

    @Test(
        arguments: [
            ("500m", 1), ("1500m", 2), (".5", 1), ("1n", 1), ("0.3n", 1), ("0.1", 1), (".001Ki", 2),
            ("1.000000000000000000001", 2), ("1e-9", 1), ("-500m", 0), ("-1500m", -1),
        ]
    )
    func `an amount with a fraction is none, and is rounded up`(text: String, value: Int) throws {
        let quantity = try #require(Quantity(text))
        #expect(quantity.whole == nil && quantity.roundedUp == value)
    }

    @Test func `different texts of one amount are equal, and sums are exact`() {
        #expect(Quantity("0.1") == Quantity("100m") && Quantity("1Gi") == Quantity("1024Mi"))
        #expect(Quantity("0.3n") == Quantity("1n") && Quantity("-0.3n") == Quantity("-1n"))
        #expect(Quantity(".001Ki") == Quantity("1.024") && Quantity("0.025Ti") == Quantity("27487790694.4"))
        let tenth = Quantity("100m") ?? .zero
        #expect((0..<10).reduce(Quantity.zero) { sum, _ in sum + tenth } == Quantity(1))
        #expect((Quantity("1k") ?? .zero) > (Quantity("999") ?? .zero))
    }

    @Test(arguments: ["9223372036854775808", "10E", "8Ei", "1e30", "9999999999999999999999999Ei"])
    func `an amount that is too large is the largest`(text: String) {
        #expect(Quantity(text) == Quantity(Int.max))
    }

    @Test(
        arguments: [
            "", "-", "+", ".", "m", "1 ", " 1", "1 k", "1K", "1ki", "1mi", "1e", "1e+", "1e1.5", "0x10",
            "1.2.3", "--1", "1Gi5", "١", "1E3Ki", "NaN",
        ]
    )
    func `what is no amount is refused`(text: String) {
        #expect(Quantity(text) == nil)
    }
}
