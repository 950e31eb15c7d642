import NIOCore
import SMPP
import Testing

@Suite struct CodecTests {
    @Test func `the specification's own example decodes: bind_transmitter of 3.4 section 3.2.2`() throws {
        let example = bytes(
            """
            00 00 00 2F 00 00 00 02 00 00 00 00 00 00 00 01
            53 4D 50 50 33 54 45 53 54 00 73 65 63 72 65 74 30 38 00 53 55 42 4D 49 54 31 00 00 01 01 00
            """)
        guard case .pdu(let pdu) = try #require(Framer.decode(example)) else {
            Issue.record("not a PDU")
            return
        }
        let bind = Bind(
            kind: .transmitter, systemID: "SMPP3TEST", password: "secret08", systemType: "SUBMIT1", interfaceVersion: .init(rawValue: 0),
            addrTON: .international, addrNPI: .isdn)
        #expect(pdu == PDU(.bind(bind), sequenceNumber: 1))
        #expect(try encoded(pdu) == example)
    }

    @Test(arguments: 0..<Seeded.kinds)
    func `what was encoded decodes to itself, and encodes to the same octets again`(kind: Int) throws {
        for seed in UInt64(1)...200 {
            var random = Seeded(seed &* 1_000 &+ UInt64(kind))
            let pdu = PDU(random.body(kind), sequenceNumber: UInt32(seed), commandStatus: .init(rawValue: UInt32(seed % 3)))
            let octets = try encoded(pdu)
            let again = try #require(Framer.decode(octets), "seed \(seed)")
            #expect(again == .pdu(pdu), "seed \(seed)")
            guard case .pdu(let decoded) = again else { continue }
            #expect(try encoded(decoded) == octets, "seed \(seed)")
        }
    }

    @Test(
        arguments: [
            ("length under 16", "0000000F 00000015 00000000 00000007", .framingLost(commandLength: 15, sequenceNumber: 7)),
            ("length under 16, seen at its fourth octet", "0000000F", .framingLost(commandLength: 15, sequenceNumber: 0)),
            ("another protocol", "47455420 2F204854", .framingLost(commandLength: 0x4745_5420, sequenceNumber: 0)),
            ("unknown command_id", "00000010 000001F0 00000000 00000007", .unknownCommand(.init(rawValue: 0x1F0), sequenceNumber: 7)),
            (
                "bit 31 of the sequence set: seen in the field", "00000010 00000015 00000000 80000007",
                .pdu(PDU(.enquireLink, sequenceNumber: 0x8000_0007))
            ),
            ("sequence zero: seen in the field", "00000010 00000015 00000000 00000000", .pdu(PDU(.enquireLink, sequenceNumber: 0))),
            (
                "a refused bind without a body", "00000010 80000009 0000000E 00000001",
                .pdu(PDU(.bindResp(.init(kind: .transceiver, systemID: nil)), sequenceNumber: 1, commandStatus: .invalidPassword))
            ),
            (
                "submit_sm_resp with an error and no body", "00000010 80000004 00000058 00000002",
                .pdu(PDU(.submitSmResp(.init(messageID: nil)), sequenceNumber: 2, commandStatus: .throttled))
            ),
            (
                "submit_sm_resp whose id lacks its NUL: seen in the field", "00000012 80000004 00000000 00000002 3132",
                .pdu(PDU(.submitSmResp(.init(messageID: "12")), sequenceNumber: 2))
            ),
            (
                "enquire_link with octets over", "00000011 00000015 00000000 00000003 00",
                .malformedRequest(
                    .enquireLink, sequenceNumber: 3,
                    PDUError(field: "body", offset: 16, problem: .excessOctets, status: .invalidCommandLength))
            ),
            (
                "source_addr without end", "0000001C 00000004 00000000 00000005 00 01 01 31 32 33 34 35 36 37 38 39",
                .malformedRequest(
                    .submitSm, sequenceNumber: 5,
                    PDUError(field: "source_addr", offset: 19, problem: .truncated, status: .invalidSourceAddress))
            ),
            (
                "service_type too long", "00000018 00000004 00000000 00000005 41 42 43 44 45 46 47 00",
                .malformedRequest(
                    .submitSm, sequenceNumber: 5,
                    PDUError(field: "service_type", offset: 16, problem: .tooLong, status: .invalidServiceType))
            ),
            (
                "sm_length beyond the body", "00000024 00000004 00000000 00000006 00 000000 00003100 00 00 00 00 00 00 00 00 00 05 41 42",
                .malformedRequest(
                    .submitSm, sequenceNumber: 6,
                    PDUError(field: "short_message", offset: 34, problem: .truncated, status: .invalidMessageLength))
            ),
            (
                "a TLV longer than what is left",
                "00000027 00000004 00000000 00000006 00 000000 00003100 00 00 00 00 00 00 00 00 00 00 0204 0004 01",
                .malformedRequest(
                    .submitSm, sequenceNumber: 6, PDUError(field: "tlv", offset: 34, problem: .truncated, status: .invalidTLVStream))
            ),
        ] as [(String, String, Framed)])
    func framing(name: String, hex: String, expected: Framed) {
        #expect(frames(bytes(hex)).first == expected)
    }

    @Test func `a malformed request is answered by its own response, an unknown one by generic_nack, a response by nothing`() {
        let error = PDUError(field: "sm_length", offset: 34, problem: .truncated, status: .invalidMessageLength)
        #expect(
            Framed.malformedRequest(.submitSm, sequenceNumber: 9, error).reply
                == PDU(.submitSmResp(.init(messageID: nil)), sequenceNumber: 9, commandStatus: .invalidMessageLength))
        #expect(
            Framed.malformedRequest(.alertNotification, sequenceNumber: 9, error).reply
                == PDU(.genericNack, sequenceNumber: 9, commandStatus: .invalidMessageLength))
        #expect(
            Framed.unknownCommand(.init(rawValue: 0x1F0), sequenceNumber: 3).reply
                == PDU(.genericNack, sequenceNumber: 3, commandStatus: .invalidCommandID))
        #expect(Framed.unknownCommand(.init(rawValue: 0x8000_01F0), sequenceNumber: 3).reply == nil)
        #expect(Framed.malformedResponse(.submitSm.response, sequenceNumber: 3, error).reply == nil)
        #expect(
            Framed.framingLost(commandLength: 3, sequenceNumber: 4).reply
                == PDU(.genericNack, sequenceNumber: 4, commandStatus: .invalidCommandLength))
    }

    @Test func `the framer finds the same PDUs in octets that come whole, glued or one by one`() throws {
        var random = Seeded(42)
        let pdus = (0..<200).map { _ in random.pdu() }
        var stream = ByteBuffer()
        for pdu in pdus { try pdu.encode(into: &stream) }
        let expected = pdus.map { Framed.pdu($0) }
        for piece in [1, 2, 3, 7, 16, 100, 1_000, 65_536, stream.readableBytes] {
            var framer = Framer()
            var found: [Framed] = []
            var rest = stream
            while rest.readableBytes > 0, var part = rest.readSlice(length: min(piece, rest.readableBytes)) {
                framer.append(&part)
                while let framed = framer.next() { found.append(framed) }
            }
            #expect(found == expected, "pieces of \(piece)")
            #expect(framer.pendingOctets == 0)
        }
    }

    @Test func `a PDU longer than the limit loses the framing before its body is waited for`() {
        #expect(frames(bytes("00000101 00000004"), maximum: 256) == [.framingLost(commandLength: 257, sequenceNumber: 0)])
        #expect(frames(bytes("00000100 00000004"), maximum: 256) == [])
    }

    @Test func `cut, flipped and random octets never trap, and what decodes encodes again`() throws {
        for seed in UInt64(1)...3_000 {
            var random = Seeded(seed)
            var octets = Array(try encoded(random.pdu()).readableBytesView)
            switch seed % 3 {
            case 0:  // cut, with the length made to fit, so that the body's decoder meets the end everywhere
                octets = Array(octets.prefix(Int.random(in: 16...octets.count, using: &random)))
                octets[2] = UInt8(truncatingIfNeeded: octets.count >> 8)
                octets[3] = UInt8(truncatingIfNeeded: octets.count)
            case 1:
                for _ in 0..<4 { octets[Int.random(in: 4..<octets.count, using: &random)] = random.octet() }
            default:
                for index in 16..<octets.count { octets[index] = random.octet() }
            }
            for framed in frames(ByteBuffer(bytes: octets)) {
                if case .pdu(let pdu) = framed { #expect(throws: Never.self, "seed \(seed)") { try encoded(pdu) } }
            }
        }
    }

    @Test func `a field that cannot be written is refused and leaves the buffer as it was`() {
        var buffer = ByteBuffer(string: "before")
        let cases: [(SubmitSm, PDUError.Problem, CommandStatus)] = [
            (SubmitSm(destinationAddr: .init(value: "123456789012345678901")), .tooLong, .invalidDestinationAddress),
            (SubmitSm(sourceAddr: .init(value: "a\0b")), .invalidValue, .invalidSourceAddress),
            (SubmitSm(sourceAddr: .init(value: "Ж")), .invalidValue, .invalidSourceAddress),
            (SubmitSm(shortMessage: Array(repeating: 0, count: 256)), .tooLong, .invalidMessageLength),
        ]
        for (message, problem, status) in cases {
            do throws(PDUError) {
                try PDU(.submitSm(message), sequenceNumber: 1).encode(into: &buffer)
                Issue.record("encoded")
            } catch {
                #expect(error.problem == problem)
                #expect(error.status == status)
            }
        }
        #expect(buffer == ByteBuffer(string: "before"))
    }

    @Test func `optional parameters keep their order, and typed ones read and write`() {
        var tlvs: TLVs = [TLV(tag: .init(rawValue: 0x1403), value: [1]), TLV(tag: .userMessageReference, value: [0x12, 0x34])]
        tlvs.set(.receiptedMessageID, text: "ABC123")
        tlvs.set(.messageState, MessageState.delivered.rawValue)
        tlvs[.networkErrorCode] = NetworkErrorCode(networkType: 3, code: 0x1234).octets
        #expect(tlvs.userMessageReference == 0x1234)
        #expect(tlvs.receiptedMessageID == "ABC123")
        #expect(tlvs[.receiptedMessageID] == Array("ABC123\0".utf8))
        #expect(tlvs.messageState == .delivered)
        #expect(tlvs.networkErrorCode == NetworkErrorCode(networkType: 3, code: 0x1234))
        #expect(tlvs.map(\.tag.rawValue) == [0x1403, 0x0204, 0x001E, 0x0427, 0x0423])
        #expect(tlvs.first?.tag.isVendorSpecific == true)
    }

    @Test func `statuses have the specification's names and can be found by them`() {
        #expect("\(CommandStatus.throttled)" == "ESME_RTHROTTLED")
        #expect(CommandStatus(name: "ESME_RMSGQFUL") == .messageQueueFull)
        #expect(CommandStatus(name: "0x450") == CommandStatus(rawValue: 0x450))
        #expect(CommandStatus(name: "nonsense") == nil)
        #expect("\(CommandID.submitSm.response)" == "submit_sm_resp")
    }
}
