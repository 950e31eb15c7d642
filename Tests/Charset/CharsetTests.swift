import Charset
import Testing

/// SplitMix64: the same seed gives the same run.
struct Seeded: RandomNumberGenerator {
    private var state: UInt64
    init(_ seed: UInt64) { self.state = seed }
    mutating func next() -> UInt64 {
        self.state &+= 0x9E37_79B9_7F4A_7C15
        var z = self.state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
    mutating func octets(_ most: Int) -> [UInt8] {
        (0..<Int.random(in: 0...most, using: &self)).map { _ in UInt8.random(in: .min ... .max, using: &self) }
    }
    mutating func text(_ most: Int, _ alphabet: [Unicode.Scalar]) -> String {
        var text = String.UnicodeScalarView()
        for _ in 0..<Int.random(in: 0...most, using: &self) { text.append(alphabet[Int.random(in: 0..<alphabet.count, using: &self)]) }
        return String(text)
    }
}

private let gsmBasic: [Unicode.Scalar] = Array(
    ("@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
        + "¿abcdefghijklmnopqrstuvwxyzäöñüà").unicodeScalars)
private let gsmExtension: [Unicode.Scalar] = Array("^{}\\[~]|€\u{0C}".unicodeScalars)
private let unicode: [Unicode.Scalar] = Array("aé€Жعä中😀🇸🇪\u{200D}\u{0301}𝒳".unicodeScalars)

@Suite struct CharsetTests {
    @Test func `the default alphabet has 127 characters and an escape, the extension ten, and all of them come back`() {
        #expect(gsmBasic.count == 127)
        let basic = String(String.UnicodeScalarView(gsmBasic))
        let septets = GSM7.encode(basic)
        #expect(septets.map { Set($0).count } == 127)
        #expect(septets?.contains(GSM7.escape) == false)
        #expect(septets.map { GSM7.decode($0) } == basic)
        let extended = String(String.UnicodeScalarView(gsmExtension))
        #expect(GSM7.septetCount(extended) == 20)
        #expect(GSM7.encode(extended).map { GSM7.decode($0) } == extended)
    }

    @Test(
        arguments: [
            ("@", [0x00]), ("$", [0x02]), ("Ç", [0x09]), ("Δ", [0x10]), ("_", [0x11]), ("É", [0x1F]), ("¤", [0x24]), ("¡", [0x40]),
            ("Ä", [0x5B]), ("§", [0x5F]), ("¿", [0x60]), ("ä", [0x7B]), ("à", [0x7F]), ("€", [0x1B, 0x65]), ("[", [0x1B, 0x3C]),
            ("ç", nil), ("`", nil), ("Ж", nil), ("😀", nil),
        ] as [(String, [UInt8]?)])
    func `characters have the septets of TS 23_038`(text: String, septets: [UInt8]?) {
        #expect(GSM7.encode(text) == septets)
        #expect(GSM7.septetCount(text) == septets?.count)
    }

    @Test func `a lone escape shows a space, an unknown pair its second character`() {
        #expect(GSM7.decode([0x41, 0x1B]) == "A ")
        #expect(GSM7.decode([0x1B, 0x41]) == "A")
        #expect(GSM7.decode([0x1B, 0x1B, 0x41]) == " A")
    }

    @Test func `packing follows TS 23_038, and unpacking undoes it with any fill bits`() {
        #expect(GSM7.pack(Array("hellohello".utf8)) == [0xE8, 0x32, 0x9B, 0xFD, 0x46, 0x97, 0xD9, 0xEC, 0x37])
        for seed in UInt64(0)..<500 {
            var random = Seeded(seed)
            let septets = random.octets(160).map { $0 & 0x7F }
            for fill in 0...6 {
                let packed = GSM7.pack(septets, fillBits: fill)
                #expect(packed.count == (septets.count * 7 + fill + 7) / 8)
                #expect(GSM7.unpack(packed, count: septets.count, fillBits: fill) == septets, "seed \(seed) fill \(fill)")
            }
        }
    }

    @Test func `UCS-2 carries surrogates, and broken ones become replacement characters`() {
        #expect(UCS2.encode("a😀") == [0x00, 0x61, 0xD8, 0x3D, 0xDE, 0x00])
        #expect(UCS2.decode([0x00, 0x61, 0xD8, 0x3D, 0xDE, 0x00]) == "a😀")
        #expect(UCS2.decode([0xD8, 0x3D, 0x00, 0x61]) == "\u{FFFD}a")
        #expect(UCS2.decode([0x00, 0x61, 0x00]) == "a\u{FFFD}")
        #expect(UCS2.decode([0xFF, 0xFE, 0x61, 0x00]) == "a")
    }

    @Test(
        arguments: [
            (0, [0x00, 0x1B, 0x65], .text("@€")), (1, [0x41], .text("A")), (3, [0xE9], .text("é")), (4, [1, 2], .binary([1, 2])),
            (2, [1], .binary([1])), (8, [0x04, 0x16], .text("Ж")), (6, [0xB6], .text("Ж")), (7, [0xE0], .text("א")), (5, [1], .binary([1])),
            (0x18, [0x04, 0x16], .text("Ж")), (0x11, [0x00], .text("@")), (0xF0, [0x00], .text("@")), (0xF5, [0], .binary([0])),
            (0xE0, [0x04, 0x16], .text("Ж")), (0x0B, [0x41], .text("A")),
        ] as [(UInt8, [UInt8], DecodedBody)])
    func `user data reads by data_coding`(dataCoding: UInt8, octets: [UInt8], expected: DecodedBody) {
        #expect(DecodedBody(octets: octets, dataCoding: dataCoding) == expected)
    }

    @Test func `any octets in any coding decode to something`() {
        for seed in UInt64(0)..<300 {
            var random = Seeded(seed)
            let octets = random.octets(40)
            for coding in UInt8.min...UInt8.max { _ = DecodedBody(octets: octets, dataCoding: coding) }
            _ = UserDataHeader.parse(octets)?.header.concatenation
        }
    }

    @Test(
        arguments: [
            ("ASCII goes as GSM-7: seven bits beat eight", "Hello", [.gsm7, .latin1, .ucs2], .gsm7),
            ("Latin-1 where GSM-7 lacks a letter", "garçon", [.gsm7, .latin1, .ucs2], .latin1),
            ("many brackets are shorter in Latin-1", "[[[[]]]]", [.gsm7, .latin1, .ucs2], .latin1),
            ("UCS-2 where nothing shorter holds it", "Привет", [.gsm7, .latin1, .ucs2], .ucs2),
            ("UCS-2 where only GSM-7 is offered beside it", "garçon", [.gsm7, .ucs2], .ucs2),
        ] as [(String, String, [TextEncoding], TextEncoding)])
    func `the encoding with the fewest bytes`(name: String, text: String, offered: [TextEncoding], expected: TextEncoding) {
        #expect(EncodedText.choose(text, options: .init(offered: offered)).encoding == expected)
    }

    @Test func `EMG's two switches`() {
        #expect(EncodedText.choose("Hi", options: .init(disableUCS2Downgrade: true), cameAsUnicode: true).encoding == .ucs2)
        #expect(EncodedText.choose("Hi", options: .init(disableUCS2Downgrade: true), cameAsUnicode: false).encoding == .gsm7)
        let lossy = EncodedText.choose("aЖb", options: .init(offered: [.gsm7]))
        #expect(lossy == EncodedText(encoding: .gsm7, octets: [0x61, 0x20, 0x62]))
        #expect(EncodedText.choose("aЖb", options: .init(offered: [.gsm7], enableUCS2Upgrade: true)).encoding == .ucs2)
    }
}

@Suite struct SegmenterTests {
    private func sizes(_ text: String, _ width: SegmentationOptions.ReferenceWidth = .bits8) throws -> [Int] {
        try Segmenter.segments(text: text, options: .init(referenceWidth: width), reference: 1).map(\.octets.count)
    }

    @Test func `parts have the sizes of TS 23_040`() throws {
        #expect(try self.sizes(String(repeating: "a", count: 160)) == [160])
        #expect(try self.sizes(String(repeating: "a", count: 161)) == [153, 8])
        #expect(try self.sizes(String(repeating: "a", count: 161), .bits16) == [152, 9])
        #expect(try self.sizes(String(repeating: "Ж", count: 70)) == [140])
        #expect(try self.sizes(String(repeating: "Ж", count: 71)) == [134, 8])
        #expect(try self.sizes(String(repeating: "Ж", count: 71), .bits16) == [132, 10])
        let binary = try Segmenter.segments(binary: Array(repeating: 0, count: 141), reference: 9)
        #expect(binary.map(\.octets.count) == [134, 7])
        #expect(binary[0].userData.count == 140)
        #expect(binary[1].udh == [5, 0, 3, 9, 2, 2])
        let wide = try Segmenter.segments(
            binary: Array(repeating: 0, count: 141), options: .init(referenceWidth: .bits16), reference: 0x1234)
        #expect(wide.map(\.octets.count) == [133, 8])
        #expect(wide[0].udh == [6, 8, 4, 0x12, 0x34, 2, 1])
        #expect(try self.sizes("") == [0])
    }

    @Test func `neither an escape pair nor a surrogate pair is split`() throws {
        #expect(try self.sizes(String(repeating: "a", count: 152) + "€" + String(repeating: "a", count: 20)) == [152, 22])
        #expect(try self.sizes(String(repeating: "Ж", count: 66) + "😀" + String(repeating: "Ж", count: 20)) == [132, 44])
    }

    @Test(arguments: [gsmBasic, gsmBasic + gsmExtension, gsmExtension, unicode])
    func `parts joined are the text again, each readable alone, and the count was right`(alphabet: [Unicode.Scalar]) throws {
        for seed in UInt64(0)..<400 {
            var random = Seeded(seed)
            let text = random.text(900, alphabet)
            let options = SegmentationOptions(
                encoding: .init(offered: seed % 3 == 0 ? [.gsm7, .latin1, .ucs2] : seed % 3 == 1 ? [.gsm7, .ucs2] : [.utf8]),
                referenceWidth: seed % 2 == 0 ? .bits8 : .bits16)
            let chosen = EncodedText.choose(text, options: options.encoding)
            let segments = try Segmenter.segments(text: text, options: options, reference: UInt16(seed))
            #expect(segments.map { chosen.encoding.decode($0.octets) }.joined() == text, "seed \(seed)")
            #expect(Segmenter.count(text: text, options: options) == segments.count, "seed \(seed)")
            #expect(Segmenter.count(chosen, options: options) == segments.count, "seed \(seed)")
            for (index, segment) in segments.enumerated() where segments.count > 1 {
                let parsed = UserDataHeader.parse(segment.userData)
                #expect(parsed?.octets == segment.udh.count)
                #expect(
                    parsed?.header.concatenation
                        == .init(
                            reference: UInt16(seed) & (seed % 2 == 0 ? 0xFF : 0xFFFF), total: UInt8(segments.count),
                            sequence: UInt8(index + 1), isWide: seed % 2 == 1))
            }
        }
    }

    @Test func `a text beyond the limit is refused`() {
        let text = String(repeating: "a", count: 255 * 153)
        #expect(throws: Never.self) { try Segmenter.segments(text: text, reference: 1) }
        #expect(throws: SegmentationError.tooLong(segments: 256, maximum: 255)) {
            try Segmenter.segments(text: text + "a", reference: 1)
        }
    }

    @Test(
        arguments: [
            ([], nil), ([5, 0, 3, 1, 2], nil), ([5, 0, 3, 1, 2, 1], .init(reference: 1, total: 2, sequence: 1, isWide: false)),
            ([5, 0, 3, 1, 2, 3], nil), ([5, 0, 3, 1, 0, 0], nil), ([5, 0, 9, 1, 2, 1], nil), ([3, 0x24, 1, 1], nil),
            ([8, 0x24, 1, 1, 0, 3, 7, 3, 2], .init(reference: 7, total: 3, sequence: 2, isWide: false)),
        ] as [([UInt8], UserDataHeader.Concatenation?)])
    func `headers that are whole are read, others not`(octets: [UInt8], expected: UserDataHeader.Concatenation?) {
        #expect(UserDataHeader.parse(octets)?.header.concatenation == expected)
    }
}
