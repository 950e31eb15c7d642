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

    @Test(
        arguments: [
            ("same", "abc", "abc", .init()), ("zeros", "123", "000123", .init(response: .decimal, receipt: .decimal)),
            ("case", "7F00AB", "7f00ab", .init(response: .hexadecimal, receipt: .hexadecimal)),
            ("hex, then decimal", "1A2B", "6699", .init(response: .hexadecimal, receipt: .decimal)),
            ("decimal, then hex", "6699", "1A2B", .init(response: .decimal, receipt: .hexadecimal)),
            ("two ids", "1A2B", "6700", nil),
        ] as [(String, String, String, MessageIDFormats?)])
    func `two spellings of one id tell how the provider writes them`(
        name: String, response: String, receipt: String, expected: MessageIDFormats?
    ) {
        #expect(MessageIDFormats.pairs(response: response, receipt: receipt).first == expected)
    }

    @Test(arguments: MessageIDFormats.pairsToDetect)
    func `the detector finds the formats from a stream of responses and receipts`(formats: MessageIDFormats) {
        var random = Seeded(9)
        var detector = MessageIDDetector()
        var numbers: [UInt64] = []
        var found: MessageIDFormats?
        for round in 0..<3_000 {
            let number = UInt64.random(in: 0x1000_0000...0xFFFF_FFFF_FFFF, using: &random)
            numbers.append(number)
            detector.responded(Self.spelling(number, formats.response))
            if round % 10 == 9 { found = detector.received(Self.spelling(numbers[round - 5], formats.receipt)) }
            detector.received("no such id \(round)")
        }
        #expect(found == formats)
    }

    @Test func `receipts for messages of long ago decide nothing`() {
        var detector = MessageIDDetector()
        for number in 0..<10 { detector.responded("\(1_000 + number)") }
        for number in 0..<100 { #expect(detector.received("\(5_000 + number)") == nil) }
        #expect(detector.formats == nil)
    }

    @Test func `ids that fit several formats wait for one that does not`() {
        var detector = MessageIDDetector()
        for id in ["1000", "2000", "3000", "AB00"] { detector.responded(id) }
        // The first two are the same in text, decimal and hex; the third is itself only in hex.
        detector.received("1000")
        #expect(detector.received("2000") == nil)
        #expect(detector.received("ab00") == MessageIDFormats(response: .hexadecimal, receipt: .hexadecimal))
    }

    @Test func `our own ids are rendered and read back`() {
        for id in [1, 255, 913_425_343_253_725_185, Int64.max] {
            for format in MessageIDFormat.allCases { #expect(format.parse(format.render(id)) == id) }
        }
        #expect(MessageIDFormat.hexadecimal.render(255) == "FF")
        #expect(MessageIDFormat.hexadecimal.parse("00ff") == 255)
        #expect(MessageIDFormat.decimal.parse("ff") == nil)
        #expect(MessageIDFormat.decimal.parse("99999999999999999999999") == nil)
        #expect(MessageIDFormat.hexadecimal.parse("11112222333344445") == nil)
        #expect(MessageIDFormat(keyword: "hex") == .hexadecimal)
        #expect(MessageIDFormat(keyword: "roman") == nil)
    }

    private static func spelling(_ number: UInt64, _ format: MessageIDFormat) -> String {
        switch format {
        case .text: "id-\(number)"
        case .decimal: String(number)
        case .hexadecimal: String(number, radix: 16, uppercase: true)
        }
    }
}

extension MessageIDFormats {
    static let pairsToDetect: [MessageIDFormats] = [
        .init(), .init(response: .hexadecimal, receipt: .decimal), .init(response: .decimal, receipt: .hexadecimal),
    ]
}
