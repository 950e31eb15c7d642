import NIOCore
import SMPP
import Testing

@Suite struct ParameterTests {
    @Test func `every parameter of the specifications has a name and a format`() {
        #expect(TLVTag.standard.count == 64)
        for tag in TLVTag.standard { #expect(!tag.description.hasPrefix("0x"), "\(tag.rawValue)") }
        #expect(TLVTag(rawValue: 0x1403).format == nil)
    }

    @Test(
        arguments: [
            (.messageState, [2], "message_state: DELIVRD (2)"), (.sourcePort, [0x1F, 0x90], "source_port: 8080"),
            (.networkErrorCode, [3, 0, 34], "network_error_code: GSM 34"),
            (.receiptedMessageID, [0x41, 0x42, 0], "receipted_message_id: AB"),
            (.receiptedMessageID, [0x41, 0x42], "receipted_message_id: AB"), (.messagePayload, [1, 2, 3], "message_payload: 3 octets"),
            (.init(rawValue: 0x1403), [0x0A, 0x0B], "0x1403: 0A0B"), (.messageState, [2, 0], "message_state: 0200 (wrong length)"),
            (.scInterfaceVersion, [0x34], "SC_interface_version: 3.4 (52)"),
            (.congestionState, [85], "congestion_state: optimum load (85)"),
            (.alertOnMessageDelivery, [], "alert_on_message_delivery: "), (.qosTimeToLive, [0, 0, 0, 60], "qos_time_to_live: 60"),
        ] as [(TLVTag, [UInt8], String)])
    func `a parameter tells people what it says`(tag: TLVTag, value: [UInt8], text: String) {
        #expect("\(TLV(tag: tag, value: value))" == text)
    }

    @Test func `a value of the wrong length is no value, and is found`() {
        for tag in TLVTag.standard {
            let lengths = (0...70_000).lazy.filter { $0 < 2_000 || $0 > 65_000 }.filter { length in
                TLV(tag: tag, value: Array(repeating: 0x30, count: length)).hasValidLength
            }
            #expect(lengths.first != nil, "\(tag)")
            if tag != .messagePayload {
                let tooLong = TLV(tag: tag, value: Array(repeating: 0x30, count: 1_025))
                #expect(!tooLong.hasValidLength, "\(tag)")
                #expect(TLVs([TLV(tag: .sourcePort, value: [0, 1]), tooLong]).firstOfWrongLength == tooLong)
            }
        }
        let vendor = TLVs([TLV(tag: .init(rawValue: 0x2000), value: [])])
        #expect(vendor.firstOfWrongLength == nil)
    }

    @Test func `each integer has its typed name`() {
        var tlvs = TLVs()
        tlvs[.destAddrSubunit] = [1]
        tlvs[.destTelematicsID] = [1, 2]
        tlvs[.qosTimeToLive] = [0, 0, 1, 0]
        tlvs[.broadcastContentType] = [1, 0, 5]
        tlvs[.broadcastFrequencyInterval] = [9, 0, 30]
        tlvs[.broadcastErrorStatus] = [0, 0, 1, 0x0D]
        tlvs[.smsSignal] = [1]
        #expect(tlvs.destAddrSubunit == 1)
        #expect(tlvs.destTelematicsID == 0x0102)
        #expect(tlvs.qosTimeToLive == 256)
        #expect(tlvs.broadcastContentType?.content == 5)
        #expect(tlvs.broadcastFrequencyInterval?.unit == 9)
        #expect(tlvs.broadcastFrequencyInterval?.count == 30)
        #expect(tlvs.broadcastErrorStatus == .broadcastFailed)
        #expect(tlvs.smsSignal == nil, "two octets, not one")
    }

    @Test func `a broadcast says what it lacks`() {
        var broadcast = BroadcastSm(tlvs: [])
        var missing: [TLVTag] = []
        while let tag = broadcast.missingParameter, missing.count < 10 {
            missing.append(tag)
            broadcast.tlvs[tag] = [0]
        }
        #expect(missing == [.broadcastAreaIdentifier, .broadcastContentType, .broadcastRepNum, .broadcastFrequencyInterval])
        broadcast.tlvs.append(TLV(tag: .broadcastAreaIdentifier, value: [1, 2]))
        #expect(broadcast.tlvs.all(.broadcastAreaIdentifier) == [[0], [1, 2]])
    }

    @Test func `a decoded message that is changed keeps its other fields, and its copies keep theirs`() throws {
        for seed in UInt64(1)...300 {
            var random = Seeded(seed)
            let original = random.message()
            guard case .pdu(let pdu) = try #require(Framer.decode(try encoded(PDU(.submitSm(original), sequenceNumber: 1)))),
                case .submitSm(let decoded) = pdu.body
            else {
                Issue.record("seed \(seed)")
                continue
            }
            var changed = decoded
            changed.destinationAddr.value = "1"
            changed.tlvs.set(.userMessageReference, UInt16(9))
            var again = changed
            again.esmClass = .replyPath
            #expect(decoded == original, "seed \(seed)")
            #expect(decoded.hashValue == original.hashValue)
            var expected = original
            expected.destinationAddr.value = "1"
            expected.tlvs.set(.userMessageReference, UInt16(9))
            #expect(changed == expected, "seed \(seed)")
            #expect(changed.esmClass == original.esmClass)
            #expect(again.esmClass == .replyPath)
            #expect(again.shortMessage == original.shortMessage)
            #expect(again.validityPeriod == original.validityPeriod)
        }
    }

    /// Each field cut off in turn: what is missing is named, and where.
    @Test(
        arguments: [
            (16, "service_type"), (17, "source_addr"), (18, "source_addr"), (20, "source_addr"), (21, "destination_addr"),
            (25, "destination_addr"), (26, "esm_class"), (27, "protocol_id"), (28, "priority_flag"), (29, "schedule_delivery_time"),
            (30, "validity_period"), (31, "registered_delivery"), (32, "replace_if_present_flag"), (33, "data_coding"),
            (34, "sm_default_msg_id"), (35, "sm_length"), (36, "short_message"), (37, "short_message"),
        ])
    func `a submit_sm that ends too early says in which field`(length: Int, field: String) throws {
        let whole = SubmitSm(
            sourceAddr: .init(value: "1"), destinationAddr: .init(value: "22"), shortMessage: [0x41, 0x42])
        var octets = Array(try encoded(PDU(.submitSm(whole), sequenceNumber: 1)).readableBytesView.prefix(length))
        octets[3] = UInt8(length)
        guard case .malformedRequest(.submitSm, 1, let error) = frames(ByteBuffer(bytes: octets)).first else {
            Issue.record("length \(length)")
            return
        }
        #expect(error.field == field)
        #expect(error.offset <= length)
        #expect(error.problem == .truncated)
    }
}
