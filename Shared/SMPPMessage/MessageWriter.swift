public import Charset
import Foundation
public import Message
public import SMPP

/// From the normalized message to submit_sm (one for each part) or deliver_sm. Pure.
public enum MessageWriter {
    /// Why a message cannot be written as SMPP.
    public struct Unwritable: Error, CustomStringConvertible {
        public var description: String
    }

    /// TLVs that speak of the transport between two neighbours, or that we set ourselves: not passed on.
    private static let ownTags: Set<UInt16> = [
        TLVTag.messagePayload.rawValue, TLVTag.receiptedMessageID.rawValue, TLVTag.messageState.rawValue,
    ]

    /// The parts of a message for a provider. A message of one part is one PDU; a longer one is split with an 8-bit reference
    /// taken from its id.
    public static func submitSms(for message: ShortMessage, encoding: EncodingOptions = .init()) throws(Unwritable) -> [SubmitSm] {
        var template = try template(message)
        template.registeredDelivery = message.awaitsReport ? .final : .none
        if message.intermediateReports {
            template.registeredDelivery = RegisteredDelivery(rawValue: template.registeredDelivery.rawValue | 0x10)
        }
        if message.expiresAt > 0 { template.validityPeriod = SMPPTime.absolute(message.expiresAt) }
        return try segments(message, encoding).map { segment in
            var part = template
            part.shortMessage = segment.userData
            part.dataCoding = DataCoding(rawValue: segment.dataCoding)
            if !segment.udh.isEmpty { part.esmClass = part.esmClass.union(ESMClass(rawValue: 0x40)) }
            return part
        }
    }

    /// A delivery report, or a message towards a client.
    public static func deliverSm(for message: ShortMessage) throws -> DeliverSm {
        if message.type == .deliveryReport { return try ReceiptWriter.deliverSm(for: message) }
        let parts = try submitSms(for: message)
        guard var pdu = parts.first else { throw Unwritable(description: "a message without parts") }
        pdu.registeredDelivery = .none
        pdu.validityPeriod = ""
        if parts.count > 1 {
            // Too long for short_message: whole, in message_payload (SMPP 3.4, 5.3.2.32).
            let encoded = EncodedText.choose(message.body.text)
            pdu.shortMessage = []
            pdu.esmClass = .default
            pdu.dataCoding = DataCoding(rawValue: encoded.encoding.dataCoding)
            pdu.tlvs[.messagePayload] = encoded.octets
        }
        return pdu
    }

    private static func segments(_ message: ShortMessage, _ encoding: EncodingOptions) throws(Unwritable) -> [Segment] {
        let body = message.body
        let reference = UInt16(truncatingIfNeeded: message.msgid)
        if !body.udh.isEmpty {
            // The sender's own header: one part, as it came, in the encoding it came in.
            if body.encoding == .binary {
                return [Segment(udh: Array(body.udh), octets: Array(body.data), dataCoding: UInt8(truncatingIfNeeded: body.dataCoding))]
            }
            let text = EncodedText.choose(body.text, options: encoding, cameAsUnicode: body.encoding == .ucs2)
            return [Segment(udh: Array(body.udh), octets: text.octets, dataCoding: text.encoding.dataCoding)]
        }
        do {
            if body.encoding == .binary {
                return try Segmenter.segments(
                    binary: Array(body.data), dataCoding: UInt8(truncatingIfNeeded: body.dataCoding), reference: reference)
            }
            return try Segmenter.segments(
                text: body.text, options: SegmentationOptions(encoding: encoding), reference: reference,
                cameAsUnicode: body.encoding == .ucs2)
        } catch {
            throw Unwritable(description: "\(error)")
        }
    }

    private static func template(_ message: ShortMessage) throws(Unwritable) -> ShortMessagePDU {
        var pdu = ShortMessagePDU()
        pdu.sourceAddr = address(message.source)
        pdu.destinationAddr = address(message.destination)
        pdu.priorityFlag = UInt8(clamping: min(message.priority, 3))
        for option in message.options {
            switch option.name {
            case "PROTOCOLID": pdu.protocolID = UInt8(option.value) ?? 0
            case "REPLYPATH": if option.value != "0" { pdu.esmClass = pdu.esmClass.union(ESMClass(rawValue: 0x80)) }
            case "SERVICETYPE": pdu.serviceType = String(option.value.prefix(5))
            case "REPLACEIFPRESENT": pdu.replaceIfPresentFlag = UInt8(option.value) ?? 0
            default:
                guard option.name.hasPrefix("TLV:0x"), let tag = UInt16(option.name.dropFirst(6), radix: 16),
                    !ownTags.contains(tag), let value = bytes(hex: option.value)
                else { continue }
                pdu.tlvs.append(TLV(tag: TLVTag(rawValue: tag), value: value))
            }
        }
        return pdu
    }

    static func address(_ address: Address) -> SMEAddress {
        SMEAddress(
            ton: TypeOfNumber(rawValue: UInt8(truncatingIfNeeded: address.ton)),
            npi: NumberingPlan(rawValue: UInt8(truncatingIfNeeded: address.npi)), value: address.number)
    }
}
