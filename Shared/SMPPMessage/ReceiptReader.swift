public import Message
public import SMPP

/// A provider's receipt: from deliver_sm to the normalized form. Pure.
public enum ReceiptReader {
    /// - Parameter now: milliseconds since 1970.
    /// - Returns: `nil` where it is no receipt, or names no message: then it is for people, or a message.
    public static func receipt(from pdu: DeliverSm, connector: String, now: Int64) -> Receipt? {
        guard pdu.esmClass.isDeliveryReceipt || pdu.esmClass.isIntermediateNotification || pdu.tlvs.receiptedMessageID != nil,
            let parsed = DeliveryReceipt(pdu), let id = parsed.messageID, !id.isEmpty
        else { return nil }
        var receipt = Receipt()
        receipt.connector = connector
        receipt.smscid = id
        receipt.status = status(parsed)
        receipt.error = parsed.error ?? parsed.networkErrorCode.map { String($0.code) } ?? ""
        if receipt.status != .delivered { receipt.reasonText = parsed.statWord ?? "" }
        receipt.submittedAt = parsed.submitDate.flatMap { SMPPTime.parseReceiptDate($0, now: now) } ?? 0
        receipt.doneAt = parsed.doneDate.flatMap { SMPPTime.parseReceiptDate($0, now: now) } ?? 0
        receipt.receivedAt = now
        receipt.source = MessageReader.address(pdu.sourceAddr)
        receipt.destination = MessageReader.address(pdu.destinationAddr)
        for tlv in pdu.tlvs where tlv.tag.isVendorSpecific {
            var option = Option()
            option.name = tlvOption(tlv.tag)
            option.value = hex(tlv.value)
            receipt.options.append(option)
        }
        return receipt
    }

    /// The state in the TLV or in the text; a receipt that says neither says that the message ended, nobody knows how.
    private static func status(_ receipt: DeliveryReceipt) -> Status {
        guard let state = receipt.state else { return .unknown }
        switch state {
        case .delivered: return .delivered
        case .expired: return .expired
        case .deleted: return .deleted
        case .undeliverable: return .undeliverable
        // Taken by somebody on the recipient's behalf (5.2.28): an end, and a good one, though not on the handset.
        case .accepted: return .relayed
        case .rejected: return .rejected
        case .enroute, .scheduled: return .buffered
        case .unknown: return .unknown
        default: return .unknown
        }
    }
}
