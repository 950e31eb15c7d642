import SMPP
import Testing

@Suite struct `A PDU in a log` {
    static let secret = "Pa55word"
    static let message = SubmitSm(
        serviceType: "WAP", sourceAddr: SMEAddress(value: "Shop"), destinationAddr: SMEAddress(ton: .international, value: "46701234567"),
        shortMessage: Array("the code is 4711".utf8), tlvs: [TLV(tag: .messagePayload, value: Array("the code is 4711".utf8))])

    @Test func `tells what it is and never what must not be told`() {
        let bind = Bind(
            kind: .transceiver, systemID: "client", password: Self.secret, systemType: "", interfaceVersion: .v34, addrTON: .unknown,
            addrNPI: .unknown, addressRange: "")
        let pdus = [
            PDU(.bind(bind), sequenceNumber: 1), PDU(.outbind(Outbind(systemID: "provider", password: Self.secret)), sequenceNumber: 2),
            PDU(.submitSm(Self.message), sequenceNumber: 3),
            PDU(.submitMulti(SubmitMulti(Self.message, destinations: [.address(Self.message.destinationAddr)])), sequenceNumber: 4),
            PDU(
                .replaceSm(ReplaceSm(messageID: "9", sourceAddr: Self.message.sourceAddr, shortMessage: Self.message.shortMessage)),
                sequenceNumber: 5),
        ]
        for pdu in pdus {
            let line = pdu.summary
            #expect(!line.contains(Self.secret) && !line.contains("4711") && !line.contains("46701234567"), "\(line)")
            #expect(line.contains("sequence \(pdu.sequenceNumber)"))
        }
        #expect(
            pdus[2].summary
                == "submit_sm, sequence 3, service_type WAP, from 0.0:****, to 1.0:4670123****, data_coding 0, short_message 16 octets, "
                + "message_payload 16 octets")
        #expect(
            PDU(.submitSmResp(SubmitSmResp(messageID: nil)), sequenceNumber: 3, commandStatus: .throttled).summary
                == "submit_sm_resp, sequence 3, ESME_RTHROTTLED")
    }
}
