import SMPPMessage
import Testing

@Suite struct MessageIDTests {
    @Test(
        arguments: [
            ("decimal zeros", .decimal, "0000006699", "1a2b"), ("decimal", .decimal, "6699", "1a2b"),
            ("hex, upper", .hexadecimal, "1A2B", "1a2b"),
            ("hex, zeros", .hexadecimal, "00001a2b", "1a2b"), ("hex, 0x", .hexadecimal, "0x1A2B", "1a2b"),
            ("blanks", .decimal, " 6699 ", "1a2b"),
            ("zero", .decimal, "000", "0"), ("text", .text, "0000006699", "0000006699"), ("not decimal", .decimal, "1a2b", "1a2b"),
            ("not hex", .hexadecimal, "SAR-1", "SAR-1"), ("a UUID", .hexadecimal, "6ba7b810-9dad", "6ba7b810-9dad"),
            ("empty", .decimal, "", ""),
            ("64 bits", .decimal, "18446744073709551615", "ffffffffffffffff"),
            ("beyond 64 bits", .decimal, "340282366920938463463374607431768211456", "100000000000000000000000000000000"),
        ] as [(String, MessageIDFormat, String, String)])
    func `ids have one spelling to be compared by`(name: String, format: MessageIDFormat, id: String, key: String) {
        #expect(format.key(id) == key)
        #expect(format.number(id) == (name == "text" || name.hasPrefix("not") || name == "a UUID" || name == "empty" ? nil : key))
    }

    @Test func `long decimals convert as short ones do`() {
        var random = Seeded(5)
        for _ in 0..<500 {
            let number = UInt64.random(in: .min ... .max, using: &random) >> UInt64.random(in: 0...63, using: &random)
            let padded = String(repeating: "0", count: 20) + String(number)
            #expect(MessageIDFormat.decimal.key(padded) == String(number, radix: 16))
            #expect(MessageIDFormat.hexadecimal.key(String(number, radix: 16, uppercase: true)) == String(number, radix: 16))
        }
    }
}
