import Store
import Testing

@Suite struct `Keys of encrypted texts` {
    private static let old = "old " + String(repeating: "0a", count: 32)
    private static let new = "2026-12 " + String(repeating: "F1", count: 32)
    private let content = BodyKeys.Content(body: "Grüße, 100 €\0", udh: "050003AA0201")

    @Test func `what was sealed opens, for its message only, and shows nothing of itself`() throws {
        let keys = try BodyKeys(parsing: Self.old)
        let (id, sealed) = try keys.seal(content, msgid: 7)
        #expect(id == "old")
        #expect(try keys.open(sealed, keyID: id, msgid: 7) == content)
        #expect(throws: BodyKeys.Fault.damaged) { try keys.open(sealed, keyID: id, msgid: 8) }
        #expect(!String(decoding: sealed, as: UTF8.self).contains("100"))
        #expect(try keys.seal(content, msgid: 7).sealed != sealed, "the nonce is new each time")
    }

    @Test func `every octet counts`() throws {
        let keys = try BodyKeys(parsing: Self.old)
        let (id, sealed) = try keys.seal(BodyKeys.Content(body: "hello", udh: nil), msgid: 7)
        #expect(sealed.count == 12 + 4 + 5 + 16)
        for position in sealed.indices {
            var bent = sealed
            bent[position] ^= 1
            #expect(throws: BodyKeys.Fault.damaged) { try keys.open(bent, keyID: id, msgid: 7) }
        }
        #expect(throws: BodyKeys.Fault.damaged) { try keys.open([], keyID: id, msgid: 7) }
    }

    @Test func `a new key at the top encrypts, and the old ones go on to decrypt`() throws {
        let (id, sealed) = try BodyKeys(parsing: Self.old).seal(content, msgid: 7)
        let both = try BodyKeys(parsing: "# keys\n\n\(Self.new)\n\(Self.old)\r\n")
        #expect(try both.open(sealed, keyID: id, msgid: 7) == content)
        #expect(try both.seal(content, msgid: 7).keyID == "2026-12")
        #expect(throws: BodyKeys.Fault.unknownKey("old")) { try BodyKeys(parsing: Self.new).open(sealed, keyID: id, msgid: 7) }
    }

    @Test(arguments: [
        "", "# nothing", "k 00", "k " + String(repeating: "0g", count: 32), old + "\n" + old, "a b c", "k_ " + old.suffix(64),
    ])
    func `a file that is no file of keys is refused`(text: String) {
        #expect(throws: StoreError.self) { try BodyKeys(parsing: text) }
    }

    @Test func `a file that is made holds one key that works, another one each time`() throws {
        let (one, other) = (BodyKeys.makeFile(), BodyKeys.makeFile())
        #expect(one != other)
        let (id, sealed) = try BodyKeys(parsing: one).seal(content, msgid: 7)
        #expect(try BodyKeys(parsing: one).open(sealed, keyID: id, msgid: 7) == content)
        #expect(throws: BodyKeys.Fault.self) { try BodyKeys(parsing: other).open(sealed, keyID: id, msgid: 7) }
    }
}
