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
    private static let ownTags: Set<UInt16> = Set(
        [
            TLVTag.messagePayload, .receiptedMessageID, .messageState, .networkErrorCode, .deliveryFailureReason, .dpfResult,
            .additionalStatusInfoText, .scInterfaceVersion, .congestionState, .moreMessagesToSend, .qosTimeToLive,
        ].map(\.rawValue))

    /// The parts of a message for a provider, with an 8-bit reference taken from its id.
    public static func submitSms(for message: ShortMessage, encoding: EncodingOptions = .init()) throws(Unwritable) -> [SubmitSm] {
        try self.submitSms(for: message, options: WritingOptions(encoding: encoding))
    }

    /// The parts of a message for a provider, in their order: one PDU for each.
    public static func submitSms(for message: ShortMessage, options: WritingOptions) throws(Unwritable) -> [SubmitSm] {
        var template = template(message)
        template.registeredDelivery = registeredDelivery(message)
        template.esmClass = template.esmClass.union(ESMClass(rawValue: options.messagingMode.rawValue))
        if message.expiresAt > 0 { template.validityPeriod = SMPPTime.absolute(message.expiresAt) }
        return try parts(of: message.body, options: options, reference: reference(message)).map { part in
            var pdu = template
            part.write(into: &pdu)
            return pdu
        }
    }

    /// The same as data_sm, one for each part (SMPP 3.4 §4.7.1); its user data is always in message_payload.
    public static func dataSms(for message: ShortMessage, options: WritingOptions) throws(Unwritable) -> [DataSm] {
        try submitSms(for: message, options: options).map { pdu in
            var tlvs = pdu.tlvs
            tlvs[.messagePayload] = pdu.userData
            if pdu.protocolID != 0 { tlvs.set(.sourceTelematicsID, pdu.protocolID) }
            return DataSm(
                serviceType: pdu.serviceType, sourceAddr: pdu.sourceAddr, destinationAddr: pdu.destinationAddr, esmClass: pdu.esmClass,
                registeredDelivery: pdu.registeredDelivery, dataCoding: pdu.dataCoding, tlvs: tlvs)
        }
    }

    /// A delivery report, or a message towards a client: whole, in message_payload where short_message is too short for it.
    public static func deliverSm(for message: ShortMessage) throws -> DeliverSm {
        if message.type == .deliveryReport { return try ReceiptWriter.deliverSm(for: message) }
        let all = try deliverSms(for: message, options: WritingOptions(longMessage: .payload))
        guard let pdu = all.first else { throw Unwritable(description: "a message without parts") }
        return pdu
    }

    /// A message towards a client in parts as `options.longMessage` says. A delivery report is always one.
    public static func deliverSms(for message: ShortMessage, options: WritingOptions) throws -> [DeliverSm] {
        if message.type == .deliveryReport { return [try ReceiptWriter.deliverSm(for: message)] }
        let template = template(message)
        return try parts(of: message.body, options: options, reference: reference(message)).map { part in
            var pdu = template
            part.write(into: &pdu)
            return pdu
        }
    }

    private static func reference(_ message: ShortMessage) -> UInt16 { UInt16(truncatingIfNeeded: message.msgid) }

    /// The provider is always asked for the final outcome, whichever the client wants to hear of: ours decides what to pass on.
    private static func registeredDelivery(_ message: ShortMessage) -> RegisteredDelivery {
        let receipt: RegisteredDelivery = message.awaitsReport ? .final : .none
        return message.intermediateReports ? RegisteredDelivery(rawValue: receipt.rawValue | 0x10) : receipt
    }

    private static func template(_ message: ShortMessage) -> ShortMessagePDU {
        var pdu = ShortMessagePDU()
        pdu.sourceAddr = address(message.hasSendSource ? message.sendSource : message.source)
        pdu.destinationAddr = address(message.hasSendDestination ? message.sendDestination : message.destination)
        pdu.priorityFlag = UInt8(clamping: min(message.priority, 3))
        for option in message.options {
            switch option.name {
            case "PROTOCOLID": pdu.protocolID = UInt8(option.value) ?? 0
            case "REPLYPATH": if option.value != "0" { pdu.esmClass = pdu.esmClass.union(ESMClass(rawValue: 0x80)) }
            case "SERVICETYPE": pdu.serviceType = String(option.value.prefix(5))
            case "REPLACEIFPRESENT": pdu.replaceIfPresentFlag = UInt8(option.value) ?? 0
            default: break
            }
        }
        let parameters = parameters(message.options)
        if !parameters.isEmpty { pdu.tlvs = TLVs(parameters) }
        return pdu
    }

    /// The optional parameters among a message's options, in their order, but for those that are ours to set.
    static func parameters(_ options: [Message.Option]) -> [TLV] {
        options.compactMap { option in
            guard option.name.hasPrefix("TLV:0x"), let tag = UInt16(option.name.dropFirst(6), radix: 16), !ownTags.contains(tag),
                let value = bytes(hex: option.value)
            else { return nil }
            return TLV(tag: TLVTag(rawValue: tag), value: value)
        }
    }

    static func address(_ address: Address) -> SMEAddress {
        SMEAddress(
            ton: TypeOfNumber(rawValue: UInt8(truncatingIfNeeded: address.ton)),
            npi: NumberingPlan(rawValue: UInt8(truncatingIfNeeded: address.npi)), value: address.number)
    }
}
