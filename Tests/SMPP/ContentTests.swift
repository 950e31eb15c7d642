import SMPP
import Testing

@Suite struct ContentTests {
    /// 2026-11-21 12:00:00 UTC
    private static let now: Int64 = 1_795_262_400_000

    @Test(
        arguments: [
            ("261121120000000+", 1_795_262_400_000),
            ("261121130000004+", 1_795_262_400_000),  // an hour ahead of UTC
            ("261121110000004-", 1_795_262_400_000),
            ("261121120000500+", 1_795_262_400_500),
            ("261121126000000+", nil),
            ("260231120000000+", nil),
            ("000000010000000R", 1_795_266_000_000),
            ("000001000000000R", 1_795_348_800_000),
            ("000100000000000R", 1_797_854_400_000),  // 21 December
            ("010000000000000R", 1_826_798_400_000),  // 21 November 2027
            ("26112112000000+", nil),
            ("26112112000000 +", nil),
            ("261121120000000X", nil),
            ("", nil),
        ] as [(String, Int64?)])
    func `times of section 7_1_1`(text: String, expected: Int64?) {
        #expect(SMPPTime.parse(text, now: Self.now) == expected)
    }

    @Test func `an absolute time that was written reads back, to the tenth of a second`() {
        var random = Seeded(7)
        for _ in 0..<500 {
            let instant = Int64.random(in: 1_000_000_000...2_900_000_000, using: &random) * 1_000 + 300
            #expect(SMPPTime.parse(SMPPTime.absolute(instant), now: instant + 86_400_000) == instant)
        }
    }

    @Test(arguments: [0, 59, 3_600, 86_399, 86_400, 7 * 86_400, 99 * 86_400] as [Int64])
    func `a relative time that was written reads back`(seconds: Int64) {
        #expect(SMPPTime.parse(SMPPTime.relative(milliseconds: seconds * 1_000), now: Self.now) == Self.now + seconds * 1_000)
    }

    @Test(
        arguments: [
            ("2611211200", 1_795_262_400_000), ("261121120000", 1_795_262_400_000), ("20261121120000", 1_795_262_400_000),
            ("202611211200", 1_795_262_400_000), ("2026-11-21 12:00:00", 1_795_262_400_000), ("261121", nil), ("", nil),
            ("2613211200", nil),
        ] as [(String, Int64?)])
    func `dates of receipts in the widths that peers use`(text: String, expected: Int64?) {
        #expect(SMPPTime.parseReceiptDate(text, now: Self.now) == expected)
    }

    @Test func `the receipt of Appendix B reads in full`() {
        let receipt = DeliveryReceipt(
            text: Array(
                "id:0123456789 sub:001 dlvrd:001 submit date:2611211159 done date:2611211200 stat:DELIVRD err:000 text:Hi id:5".utf8))
        #expect(
            receipt
                == DeliveryReceipt(
                    messageID: "0123456789", state: .delivered, error: "000", submitted: 1, delivered: 1, submitDate: "2611211159",
                    doneDate: "2611211200", text: "Hi id:5"))
    }

    @Test(
        arguments: [
            ("other order", "stat:EXPIRED err:27 id:A1", "A1", .expired),
            ("other case", "ID:a1 Submit Date:2611211159 STAT:undeliv ERR:1 TEXT:x", "a1", .undeliverable),
            ("state in full", "id:77 status:DELIVERED", "77", .delivered),
            ("commas", "id:77, stat:REJECTD, err:11", "77", .rejected),
            ("text first", "text:hello there id:9 stat:DELIVRD", "9", .delivered),
            ("only an id", "id:9", "9", nil),
            ("an unknown word", "id:9 stat:WHATEVER", "9", nil),
            ("nothing", "", nil, nil),
            ("no receipt at all", "Hello, your friend did:it stat", nil, nil),
            ("empty values", "id: stat: err:", nil, nil),
        ] as [(String, String, String?, MessageState?)])
    func `receipts in other dialects`(name: String, text: String, id: String?, state: MessageState?) {
        let receipt = DeliveryReceipt(text: Array(text.utf8))
        #expect(receipt.messageID == id)
        #expect(receipt.state == state)
    }

    @Test func `a long text of nothing but keys is read in proportion to its length`() {
        // Quadratic work on it would take minutes.
        let receipt = DeliveryReceipt(text: Array(String(repeating: "err:1 ", count: 5_000).utf8) + Array("id:7".utf8))
        #expect(receipt.messageID == "7")
        #expect(receipt.error == "1")
    }

    @Test func `a receipt that was built reads back`() {
        let receipt = DeliveryReceipt(
            messageID: "7F00AB", state: .undeliverable, error: "012", submitted: 1, delivered: 0, submitDate: "2611211159",
            doneDate: "2611211200", text: "Héllo")
        #expect(DeliveryReceipt(text: receipt.encodedText) == receipt)
    }

    @Test func `parameters win over the text, and esm_class says what is a receipt`() {
        var message = DeliverSm(esmClass: .deliveryReceipt, shortMessage: Array("id:255 stat:ENROUTE err:000".utf8))
        message.tlvs.set(.receiptedMessageID, text: "FF")
        message.tlvs.set(.messageState, MessageState.delivered.rawValue)
        #expect(DeliveryReceipt(message)?.messageID == "FF")
        #expect(DeliveryReceipt(message)?.state == .delivered)
        message.esmClass = .default
        #expect(DeliveryReceipt(message)?.messageID == "FF")  // tolerated: no esm_class, but the parameters
        message.tlvs = []
        #expect(DeliveryReceipt(message) == nil)
    }

    @Test func `random octets never trap the receipt parser`() {
        let words = ["id:", "stat:", "text:", "err:", "submit date:", " ", "\0", "9", "é", "DELIVRD", ":"].map { Array($0.utf8) }
        for seed in UInt64(0)..<2_000 {
            var random = Seeded(seed)
            var octets: [UInt8] = []
            for _ in 0..<Int.random(in: 0..<20, using: &random) {
                octets += Bool.random(using: &random) ? words[Int.random(in: 0..<words.count, using: &random)] : random.octets(4)
            }
            _ = DeliveryReceipt(text: octets)
        }
    }
}
