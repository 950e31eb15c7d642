import Charset
import Message
import SMPP
import SMPPMessage
import Testing

@Suite struct ReaderTests {
    private static let to = SMEAddress(ton: .international, npi: .isdn, value: "46701234567")
    private static let from = SMEAddress(ton: .alphanumeric, value: "Shop")

    @Test func `submit_multi is one message for each address, and a refusal for each list`() throws {
        let template = SubmitSm(sourceAddr: Self.from, registeredDelivery: .final, shortMessage: Array("hi".utf8))
        let multi = SubmitMulti(
            template,
            destinations: [.address(Self.to), .distributionList("friends"), .address(.init(value: "")), .address(.init(value: "123"))])
        let all = try MessageReader.messages(from: multi, now: 0)
        #expect(all.map(\.address.value) == ["46701234567", "friends", "", "123"])
        let messages = all.map { try? $0.message.get() }
        #expect(messages.map { $0?.destination.number } == ["46701234567", nil, nil, "123"])
        #expect(messages.compactMap { $0?.body.text } == ["hi", "hi"])
        let statuses = all.compactMap { one -> CommandStatus? in
            guard case .failure(let refusal) = one.message else { return nil }
            return refusal.status
        }
        #expect(statuses == [.invalidDistributionListName, .invalidDestinationAddress])
        #expect(throws: MessageReader.Refusal.self) { try MessageReader.messages(from: SubmitMulti(template, destinations: []), now: 0) }
    }

    @Test func `data_sm is a message like another, its life in seconds`() throws {
        var tlvs: TLVs = [TLV(tag: .messagePayload, value: UCS2.encode("Привет"))]
        tlvs.set(.qosTimeToLive, UInt32(60))
        let data = DataSm(sourceAddr: Self.from, destinationAddr: Self.to, registeredDelivery: .failure, dataCoding: .ucs2, tlvs: tlvs)
        let read = try MessageReader.message(from: data, now: 5_000)
        #expect(read.body.text == "Привет")
        #expect(read.expiresAt == 65_000)
        #expect(read.reportRequest == .onFailure)
        #expect(throws: MessageReader.Refusal.self) {
            try MessageReader.message(from: DataSm(sourceAddr: Self.from, destinationAddr: Self.to), now: 0)
        }
        let back = try #require(try MessageWriter.dataSms(for: read, options: .init()).first)
        #expect(back.tlvs.messagePayload == UCS2.encode("Привет"))
        #expect(back.tlvs.qosTimeToLive == nil)
    }

    @Test func `parameters of vendors pass through, those between neighbours do not`() throws {
        let tlvs: TLVs = [
            TLV(tag: .init(rawValue: 0x1403), value: [1, 2]), TLV(tag: .userMessageReference, value: [0, 7]),
            TLV(tag: .moreMessagesToSend, value: [1]), TLV(tag: .receiptedMessageID, value: [0x31, 0]),
        ]
        let read = try MessageReader.message(
            from: SubmitSm(sourceAddr: Self.from, destinationAddr: Self.to, shortMessage: [0x41], tlvs: tlvs), now: 0)
        let written = try #require(try MessageWriter.submitSms(for: read).first)
        #expect(written.tlvs.map(\.tag.rawValue) == [0x1403, 0x0204])
        #expect(try MessageWriter.deliverSm(for: read).tlvs.map(\.tag.rawValue) == [0x1403, 0x0204])
    }

    @Test func `a report carries the vendor's parameters of its receipt`() throws {
        let receipt = try #require(
            ReceiptReader.receipt(
                from: DeliverSm(
                    esmClass: .deliveryReceipt, shortMessage: Array("id:1 stat:DELIVRD".utf8),
                    tlvs: [TLV(tag: .init(rawValue: 0x1403), value: [7]), TLV(tag: .sourcePort, value: [0, 1])]), connector: "c", now: 0))
        var report = message("")
        report.type = .deliveryReport
        report.origMsgid = 42
        report.report.status = receipt.status
        report.options = receipt.options
        let pdu = try MessageWriter.deliverSm(for: report)
        #expect(pdu.tlvs.map(\.tag) == [.receiptedMessageID, .messageState, TLVTag(rawValue: 0x1403)])
        #expect(DeliveryReceipt(pdu)?.messageID == "42")
    }

    @Test func `replace_sm reads its text as the original's`() throws {
        let pdu = ReplaceSm(
            messageID: "7", sourceAddr: Self.from, validityPeriod: "000000010000000R", registeredDelivery: .final,
            shortMessage: UCS2.encode("ж"))
        let replacement = try MessageReader.replacement(from: pdu, originalDataCoding: .ucs2, now: 1_000)
        #expect(replacement.body.text == "ж")
        #expect(replacement.scheduledAt == nil)
        #expect(replacement.expiresAt == 3_601_000)
        #expect(replacement.reportRequest == .final)
        #expect(throws: MessageReader.Refusal.self) {
            try MessageReader.replacement(
                from: ReplaceSm(messageID: "", sourceAddr: Self.from, shortMessage: []), originalDataCoding: .ucs2, now: 0)
        }
    }

    @Test func `cancel_sm names one message, or all between two addresses`() throws {
        let one = try MessageReader.cancellation(from: CancelSm(messageID: "7", sourceAddr: Self.from, destinationAddr: .init()))
        #expect(one.messageID == "7")
        let all = try MessageReader.cancellation(from: CancelSm(messageID: "", sourceAddr: Self.from, destinationAddr: Self.to))
        #expect(all.messageID == nil)
        #expect(all.destination.number == "46701234567")
        #expect(throws: MessageReader.Refusal.self) {
            try MessageReader.cancellation(from: CancelSm(messageID: "", sourceAddr: Self.from, destinationAddr: .init()))
        }
    }

    @Test(
        arguments: [
            (.accepted, .enroute, ""), (.queued, .enroute, ""), (.delivered, .delivered, "261121120000000+"),
            (.expired, .expired, "261121120000000+"),
            (.failed, .undeliverable, "261121120000000+"), (.relayed, .accepted, "261121120000000+"),
        ] as [(Status, MessageState, String)])
    func `query_sm is answered with the specification's states`(status: Status, state: MessageState, date: String) {
        let answer = MessageReader.queryAnswer(messageID: "7", status: status, finalAt: 1_795_262_400_000, error: 300)
        #expect(answer.messageState == state)
        #expect(answer.finalDate == date)
        #expect(answer.errorCode == 255)
    }

    @Test(
        arguments: [
            (
                "text", DeliverSm(esmClass: .deliveryReceipt, shortMessage: Array("id:00FF stat:DELIVRD err:000".utf8)), "00FF",
                Status.delivered
            ),
            (
                "UCS-2", DeliverSm(esmClass: .deliveryReceipt, dataCoding: .ucs2, shortMessage: UCS2.encode("id:00FF stat:EXPIRED err:1")),
                "00FF",
                .expired
            ),
            (
                "a header before it",
                DeliverSm(
                    esmClass: ESMClass(rawValue: 0x44), shortMessage: [5, 0, 3, 1, 1, 1] + Array("id:00FF stat:UNDELIV".utf8)), "00FF",
                .undeliverable
            ),
            (
                "parameters only",
                DeliverSm(
                    tlvs: [TLV(tag: .receiptedMessageID, value: Array("00FF\0".utf8)), TLV(tag: .messageState, value: [8])]), "00FF",
                .rejected
            ),
        ])
    func `receipts are read wherever they say it`(
        name: String, pdu: DeliverSm, id: String, status: Status
    ) throws {
        let receipt = try #require(ReceiptReader.receipt(from: pdu, connector: "c", now: 0))
        #expect(receipt.smscid == id)
        #expect(receipt.status == status)
        var tlvs = pdu.tlvs
        tlvs[.messagePayload] = pdu.shortMessage
        let data = DataSm(sourceAddr: Self.to, destinationAddr: Self.from, esmClass: pdu.esmClass, dataCoding: pdu.dataCoding, tlvs: tlvs)
        #expect(ReceiptReader.receipt(from: data, connector: "c", now: 0)?.status == status)
    }

    @Test func `an ordinary message is no receipt`() {
        let pdu = DeliverSm(shortMessage: Array("id:1 stat:DELIVRD".utf8))
        #expect(ReceiptReader.receipt(from: pdu, connector: "c", now: 0) == nil)
    }
}
