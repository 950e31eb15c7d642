import Pricing
import Testing

@Suite struct MoneyTests {
    @Test(
        "decimal text is read exactly",
        arguments: [
            ("0", 0), ("0.05", 50_000), ("12", 12_000_000), ("-1.5", -1_500_000), ("+3.000001", 3_000_001), (".5", 500_000),
            ("7.", 7_000_000), ("999999999999.999999", 999_999_999_999_999_999), ("0.003450", 3_450),
        ])
    func reads(text: String, micros: Int64) throws {
        #expect(try Money(parsing: text) == Money(micros: micros))
    }

    @Test(
        "what is no amount is refused with its reason",
        arguments: [
            ("", Money.Fault.notAnAmount), ("-", .notAnAmount), (".", .notAnAmount), ("1,5", .notAnAmount), ("1e3", .notAnAmount),
            (" 1", .notAnAmount), ("1.2.3", .notAnAmount), ("NaN", .notAnAmount), ("0.0000001", .tooManyDecimals),
            ("99999999999999", .outOfRange), ("9223372036854.775808", .outOfRange),
        ])
    func refuses(text: String, fault: Money.Fault) {
        #expect(throws: fault) { try Money(parsing: text) }
    }

    @Test(
        "an amount prints with two decimals at least and no zeros beyond",
        arguments: [(50_000, "0.05"), (0, "0.00"), (12_000_000, "12.00"), (-3_450, "-0.00345"), (1, "0.000001"), (100_000, "0.10")])
    func prints(micros: Int64, text: String) throws {
        #expect(Money(micros: micros).description == text)
        #expect(try Money(parsing: text).micros == micros)
        #expect(try Money(parsing: Money(micros: micros).sixDecimals).micros == micros)
    }

    @Test("arithmetic that overflows says so") func overflow() throws {
        #expect(throws: Money.Fault.outOfRange) { try Money(micros: .max).adding(Money(micros: 1)) }
        #expect(throws: Money.Fault.outOfRange) { try Money(micros: .min).subtracting(Money(micros: 1)) }
        #expect(throws: Money.Fault.outOfRange) { try Money(micros: .max).multiplied(by: 2) }
        #expect(throws: Money.Fault.outOfRange) { try Money(micros: .min).negated() }
        #expect(try Money(micros: 50_000).multiplied(by: 3).description == "0.15")
    }
}
