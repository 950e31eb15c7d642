public import Charset
import Foundation
public import Message
public import SMPP

/// From a submit_sm, or a deliver_sm that is no receipt, to the normalized message. Pure.
///
/// Who sent it, over what, and its id are the caller's to fill in.
public enum MessageReader {
    /// Why a message cannot be taken: the status for its sender, and the reason for the log.
    public struct Refusal: Error, Equatable {
        public var status: CommandStatus
        public var reason: String

        public init(status: CommandStatus, reason: String) {
            self.status = status
            self.reason = reason
        }
    }

    /// - Parameters:
    ///   - defaultEncoding: what the peer calls its default alphabet (data_coding 0).
    ///   - now: milliseconds since 1970, for relative times.
    public static func message(
        from pdu: ShortMessagePDU, now: Int64, defaultEncoding: TextEncoding = .gsm7
    ) throws(Refusal) -> ShortMessage {
        guard !pdu.destinationAddr.value.isEmpty else {
            throw Refusal(status: .invalidDestinationAddress, reason: "destination_addr is empty")
        }
        guard pdu.priorityFlag <= 3 else { throw Refusal(status: .invalidPriorityFlag, reason: "priority_flag \(pdu.priorityFlag)") }
        var message = ShortMessage()
        message.type = .message
        message.source = address(pdu.sourceAddr)
        message.destination = address(pdu.destinationAddr)
        message.priority = UInt32(pdu.priorityFlag)
        message.reportRequest = reportRequest(pdu.registeredDelivery)
        message.intermediateReports = pdu.registeredDelivery.wantsIntermediateNotification
        message.expiresAt = try time(pdu.validityPeriod, now: now, status: .invalidExpiry, field: "validity_period")
        message.scheduledAt = try time(
            pdu.scheduleDeliveryTime, now: now, status: .invalidScheduledDelivery, field: "schedule_delivery_time")
        (message.body, message.parts) = try body(pdu, defaultEncoding)
        message.options = options(pdu)
        return message
    }

    /// From a data_sm: its user data is in message_payload, how long it may live in qos_time_to_live.
    public static func message(
        from data: DataSm, now: Int64, defaultEncoding: TextEncoding = .gsm7
    ) throws(Refusal) -> ShortMessage {
        guard data.tlvs.messagePayload != nil else {
            throw Refusal(status: .missingTLV, reason: "data_sm without message_payload")
        }
        var message = try message(from: ShortMessagePDU(data), now: now, defaultEncoding: defaultEncoding)
        if let seconds = data.tlvs.qosTimeToLive, seconds > 0 { message.expiresAt = now + Int64(seconds) * 1_000 }
        return message
    }

    /// What becomes of one destination of a submit_multi.
    public struct Destination {
        /// As it stood in the PDU, for submit_multi_resp; of a distribution list, its name without numbering plan.
        public var address: SMEAddress
        public var message: Result<ShortMessage, Refusal>
    }

    /// From a submit_multi: a message for each destination, in their order. Distribution lists are kept at an SMSC; we have
    /// none, so each is refused with ESME_RINVDLNAME.
    /// - Throws: ``Refusal`` where the message is refused as a whole.
    public static func messages(
        from multi: SubmitMulti, now: Int64, defaultEncoding: TextEncoding = .gsm7
    ) throws(Refusal) -> [Destination] {
        guard !multi.destinations.isEmpty else {
            throw Refusal(status: .invalidNumberOfDestinations, reason: "submit_multi without destinations")
        }
        // Read once, whatever the number of destinations.
        let template = try message(
            from: multi.submitSm(to: SMEAddress(value: "0")), now: now, defaultEncoding: defaultEncoding)
        return multi.destinations.map { destination in
            switch destination {
            case .address(let recipient):
                guard !recipient.value.isEmpty else {
                    let refusal = Refusal(status: .invalidDestinationAddress, reason: "destination_addr is empty")
                    return Destination(address: recipient, message: .failure(refusal))
                }
                var message = template
                message.destination = address(recipient)
                return Destination(address: recipient, message: .success(message))
            case .distributionList(let name):
                let refusal = Refusal(status: .invalidDistributionListName, reason: "there is no distribution list \(name)")
                return Destination(address: SMEAddress(value: name), message: .failure(refusal))
            }
        }
    }

    public static func address(_ address: SMEAddress) -> Address {
        var result = Address()
        result.number = address.value
        result.ton = UInt32(address.ton.rawValue)
        result.npi = UInt32(address.npi.rawValue)
        return result
    }

    /// An address that an operator wrote: digits are international, anything else is a name (EMG's TON 1 and 5).
    public static func address(_ text: String) -> Address {
        var result = Address()
        let digits = text.hasPrefix("+") ? String(text.dropFirst()) : text
        let isNumber = !digits.isEmpty && digits.utf8.allSatisfy { $0 >= 0x30 && $0 <= 0x39 }
        result.number = isNumber ? digits : text
        result.ton = isNumber ? 1 : 5
        result.npi = isNumber ? 1 : 0
        return result
    }

    /// SMPP 3.4, 5.2.17.
    static func reportRequest(_ delivery: RegisteredDelivery) -> ReportRequest {
        switch delivery.receipt {
        case 1: .final
        case 2: .onFailure
        case 3: .onSuccess  // reserved in 3.4; 5.0 gives it this meaning
        default: .none
        }
    }

    static func time(_ text: String, now: Int64, status: CommandStatus, field: String) throws(Refusal) -> Int64 {
        guard !text.isEmpty else { return 0 }
        guard let time = SMPPTime.parse(text, now: now) else { throw Refusal(status: status, reason: "\(field) cannot be read") }
        return time
    }

    private static func body(_ pdu: ShortMessagePDU, _ defaultEncoding: TextEncoding) throws(Refusal) -> (Body, UInt32) {
        var (body, parts) = try body(
            pdu.userData, hasHeader: pdu.esmClass.hasUserDataHeader, dataCoding: pdu.dataCoding, defaultEncoding)
        // Numbered outside its header: it is a part already.
        if pdu.tlvs.segmentation != nil { parts = 1 }
        body.dataCoding = UInt32(pdu.dataCoding.rawValue)
        return (body, parts)
    }

    static func body(
        _ userData: [UInt8], hasHeader: Bool, dataCoding: DataCoding, _ defaultEncoding: TextEncoding
    ) throws(Refusal) -> (Body, UInt32) {
        var body = Body()
        var octets = userData
        body.dataCoding = UInt32(dataCoding.rawValue)
        var header = UserDataHeader(elements: [])
        if hasHeader {
            guard let parsed = UserDataHeader.parse(octets) else {
                throw Refusal(status: .invalidMessageLength, reason: "the user data header does not fit the message")
            }
            header = parsed.header
            body.udh = Data(octets[..<parsed.octets])
            octets.removeFirst(parsed.octets)
        }
        let isPart = header.concatenation != nil
        let segmentation = SegmentationOptions(elements: header.contentElements)
        var parts = 1
        let decoded = DecodedBody(
            octets: octets, dataCoding: dataCoding.rawValue, defaultEncoding: defaultEncoding, shiftTables: header.shiftTables)
        switch decoded {
        case .text(let text):
            body.text = text
            body.encoding = encoding(dataCoding.rawValue, defaultEncoding)
            if !isPart { parts = Segmenter.count(text: text, options: segmentation, cameAsUnicode: body.encoding == .ucs2) }
        case .binary(let data):
            body.data = Data(data)
            body.encoding = .binary
            if !isPart { parts = Segmenter.count(binary: data, options: segmentation) }
        }
        guard parts <= 255 else {
            let many = parts == .max ? "more parts than can be" : "\(parts) parts"
            throw Refusal(status: .invalidMessageLength, reason: "the message takes \(many)")
        }
        return (body, UInt32(parts))
    }

    private static func encoding(_ dataCoding: UInt8, _ defaultEncoding: TextEncoding) -> Message.Encoding {
        switch dataCoding {
        case 1: return .ascii
        case 3: return .latin1
        case 8, 0x18...0x1B, 0xE0...0xEF: return .ucs2
        default: break
        }
        switch defaultEncoding {
        case .gsm7: return .gsm7
        case .ascii: return .ascii
        case .latin1: return .latin1
        case .ucs2: return .ucs2
        case .utf8: return .utf8
        }
    }

    /// What has no field of its own, by EMG's option names; TLVs by their tag, in hex.
    private static func options(_ pdu: ShortMessagePDU) -> [Message.Option] {
        var options: [Message.Option] = []
        func add(_ name: String, _ value: String) {
            var option = Message.Option()
            option.name = name
            option.value = value
            options.append(option)
        }
        if pdu.protocolID != 0 { add("PROTOCOLID", String(pdu.protocolID)) }
        if pdu.esmClass.hasReplyPath { add("REPLYPATH", "1") }
        if !pdu.serviceType.isEmpty { add("SERVICETYPE", pdu.serviceType) }
        if pdu.replaceIfPresentFlag != 0 { add("REPLACEIFPRESENT", String(pdu.replaceIfPresentFlag)) }
        for tlv in pdu.tlvs where tlv.tag != .messagePayload { add(tlvOption(tlv.tag), hex(tlv.value)) }
        return options
    }
}

/// `TLV:0x1400`: the option under which a TLV travels through the gateway.
func tlvOption(_ tag: TLVTag) -> String { "TLV:0x" + hex([UInt8(tag.rawValue >> 8), UInt8(tag.rawValue & 0xFF)]) }

func hex(_ bytes: [UInt8]) -> String {
    let digits = Array("0123456789ABCDEF".utf8)
    var text: [UInt8] = []
    text.reserveCapacity(bytes.count * 2)
    for byte in bytes {
        text.append(digits[Int(byte >> 4)])
        text.append(digits[Int(byte & 15)])
    }
    return String(decoding: text, as: UTF8.self)
}

/// - Returns: `nil` where the text is not pairs of hex digits.
func bytes(hex text: some StringProtocol) -> [UInt8]? {
    let digits = Array(text.utf8)
    guard digits.count.isMultiple(of: 2) else { return nil }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(digits.count / 2)
    for index in stride(from: 0, to: digits.count, by: 2) {
        guard let high = nibble(digits[index]), let low = nibble(digits[index + 1]) else { return nil }
        bytes.append(high << 4 | low)
    }
    return bytes
}

private func nibble(_ digit: UInt8) -> UInt8? {
    switch digit {
    case 0x30...0x39: digit - 0x30
    case 0x41...0x46: digit - 0x37
    case 0x61...0x66: digit - 0x57
    default: nil
    }
}
