import NIOCore
import SMPP

/// SplitMix64: the same seed gives the same run. A failing test names its seed.
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

    mutating func octet() -> UInt8 { UInt8.random(in: .min ... .max, using: &self) }
    mutating func octets(_ most: Int) -> [UInt8] { (0..<Int.random(in: 0...most, using: &self)).map { _ in self.octet() } }
    mutating func text(_ most: Int) -> String {
        // Mostly digits and letters, sometimes anything that Latin-1 has.
        let length = Int.random(in: 0...most, using: &self)
        let wild = Int.random(in: 0..<4, using: &self) == 0
        let scalars = (0..<length).map { _ in Unicode.Scalar(UInt8.random(in: wild ? 1...255 : 0x30...0x7A, using: &self)) }
        return String(String.UnicodeScalarView(scalars))
    }
    mutating func address(_ most: Int = 20) -> SMEAddress {
        SMEAddress(ton: .init(rawValue: self.octet()), npi: .init(rawValue: self.octet()), value: self.text(most))
    }
    mutating func tlvs() -> TLVs {
        TLVs(
            (0..<Int.random(in: 0...3, using: &self)).map { _ in
                TLV(tag: TLVTag(rawValue: UInt16.random(in: 0...0xFFFF, using: &self)), value: self.octets(40))
            })
    }
    mutating func message() -> SubmitSm {
        SubmitSm(
            serviceType: self.text(5), sourceAddr: self.address(), destinationAddr: self.address(),
            esmClass: .init(rawValue: self.octet()), protocolID: self.octet(), priorityFlag: self.octet(),
            scheduleDeliveryTime: self.text(16), validityPeriod: self.text(16), registeredDelivery: .init(rawValue: self.octet()),
            replaceIfPresentFlag: self.octet(), dataCoding: .init(rawValue: self.octet()), smDefaultMsgID: self.octet(),
            shortMessage: self.octets(255), tlvs: self.tlvs())
    }
    mutating func messageResp() -> SubmitSmResp {
        Bool.random(using: &self) ? SubmitSmResp(messageID: nil) : SubmitSmResp(messageID: self.text(64), tlvs: self.tlvs())
    }

    /// Any PDU that can be encoded.
    mutating func pdu() -> PDU {
        PDU(
            self.body(Int.random(in: 0..<Self.kinds, using: &self)), sequenceNumber: UInt32.random(in: .min ... .max, using: &self),
            commandStatus: .init(rawValue: UInt32.random(in: 0...0x500, using: &self)))
    }

    static let kinds = 29

    mutating func body(_ kind: Int) -> PDU.Body {
        let bindKind = BindKind.allCases[Int.random(in: 0..<3, using: &self)]
        switch kind {
        case 0:
            return .bind(
                Bind(
                    kind: bindKind, systemID: self.text(15), password: self.text(64), systemType: self.text(12),
                    interfaceVersion: .init(rawValue: self.octet()), addrTON: .init(rawValue: self.octet()),
                    addrNPI: .init(rawValue: self.octet()), addressRange: self.text(40), tlvs: self.tlvs()))
        case 1: return .bindResp(BindResp(kind: bindKind, systemID: self.text(15), tlvs: self.tlvs()))
        case 2: return .bindResp(BindResp(kind: bindKind, systemID: nil))
        case 3: return .outbind(Outbind(systemID: self.text(15), password: self.text(64)))
        case 4: return .unbind
        case 5: return .unbindResp
        case 6: return .submitSm(self.message())
        case 7: return .submitSmResp(self.messageResp())
        case 8:
            let destinations: [SubmitMulti.Destination] = (0..<Int.random(in: 0...5, using: &self)).map { _ in
                Bool.random(using: &self) ? .address(self.address()) : .distributionList(self.text(20))
            }
            return .submitMulti(SubmitMulti(self.message(), destinations: destinations))
        case 9:
            let unsuccessful: [SubmitMultiResp.Unsuccessful] = (0..<Int.random(in: 0...5, using: &self)).map { _ in
                .init(address: self.address(), status: .init(rawValue: UInt32.random(in: 0...255, using: &self)))
            }
            return .submitMultiResp(SubmitMultiResp(messageID: self.text(64), unsuccessful: unsuccessful, tlvs: self.tlvs()))
        case 10: return .deliverSm(self.message())
        case 11: return .deliverSmResp(self.messageResp())
        case 12:
            return .dataSm(
                DataSm(
                    serviceType: self.text(5), sourceAddr: self.address(64), destinationAddr: self.address(64),
                    esmClass: .init(rawValue: self.octet()), registeredDelivery: .init(rawValue: self.octet()),
                    dataCoding: .init(rawValue: self.octet()), tlvs: self.tlvs()))
        case 13: return .dataSmResp(self.messageResp())
        case 14: return .querySm(QuerySm(messageID: self.text(64), sourceAddr: self.address(), tlvs: self.tlvs()))
        case 15:
            return .querySmResp(
                QuerySmResp(
                    messageID: self.text(64), finalDate: self.text(16), messageState: .init(rawValue: self.octet()),
                    errorCode: self.octet(),
                    tlvs: self.tlvs()))
        case 16:
            return .cancelSm(
                CancelSm(
                    serviceType: self.text(5), messageID: self.text(64), sourceAddr: self.address(), destinationAddr: self.address(),
                    tlvs: self.tlvs()))
        case 17: return .cancelSmResp
        case 18:
            return .replaceSm(
                ReplaceSm(
                    messageID: self.text(64), sourceAddr: self.address(), scheduleDeliveryTime: self.text(16),
                    validityPeriod: self.text(16), registeredDelivery: .init(rawValue: self.octet()), smDefaultMsgID: self.octet(),
                    shortMessage: self.octets(255), tlvs: self.tlvs()))
        case 19: return .replaceSmResp
        case 20: return Bool.random(using: &self) ? .enquireLink : .enquireLinkResp
        case 21:
            return .alertNotification(
                AlertNotification(sourceAddr: self.address(64), esmeAddr: self.address(64), tlvs: self.tlvs()))
        case 22: return .genericNack
        case 23:
            return .broadcastSm(
                BroadcastSm(
                    serviceType: self.text(5), sourceAddr: self.address(), messageID: self.text(64), priorityFlag: self.octet(),
                    scheduleDeliveryTime: self.text(16), validityPeriod: self.text(16), replaceIfPresentFlag: self.octet(),
                    dataCoding: .init(rawValue: self.octet()), smDefaultMsgID: self.octet(), tlvs: self.tlvs()))
        case 24: return .broadcastSmResp(self.messageResp())
        case 25: return .queryBroadcastSm(QueryBroadcastSm(messageID: self.text(64), sourceAddr: self.address(), tlvs: self.tlvs()))
        case 26: return .queryBroadcastSmResp(self.messageResp())
        case 27:
            return .cancelBroadcastSm(
                CancelBroadcastSm(serviceType: self.text(5), messageID: self.text(64), sourceAddr: self.address(), tlvs: self.tlvs()))
        default: return .cancelBroadcastSmResp
        }
    }
}

/// Octets from hex, blanks ignored.
func bytes(_ hex: String) -> ByteBuffer {
    let digits = hex.filter { !$0.isWhitespace }.compactMap(\.hexDigitValue)
    return ByteBuffer(bytes: stride(from: 0, to: digits.count - 1, by: 2).map { UInt8(digits[$0] * 16 + digits[$0 + 1]) })
}

/// All that a framer makes of these octets.
func frames(_ buffer: ByteBuffer, maximum: Int = Framer.defaultMaximumPDUOctets) -> [Framed] {
    var framer = Framer(maximumPDUOctets: maximum)
    var buffer = buffer
    framer.append(&buffer)
    var all: [Framed] = []
    while let framed = framer.next() { all.append(framed) }
    return all
}

func encoded(_ pdu: PDU) throws -> ByteBuffer {
    var buffer = ByteBuffer()
    try pdu.encode(into: &buffer)
    return buffer
}
