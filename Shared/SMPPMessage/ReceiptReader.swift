public import Message
public import SMPP

/// A provider's receipt: from deliver_sm to the normalized form. Pure.
public enum ReceiptReader {
    /// - Parameter now: milliseconds since 1970.
    /// - Returns: `nil` where it is no receipt, or names no message: then it is for people, or a message.
    public static func receipt(
        from pdu: DeliverSm, connector: String, now: Int64
    ) -> Receipt? {
        guard let parsed = DeliveryReceipt(pdu) else { return nil }
        return receipt(parsed, pdu.sourceAddr, pdu.destinationAddr, pdu.tlvs, connector, now)
    }

    /// The same from a data_sm.
    public static func receipt(
        from pdu: DataSm, connector: String, now: Int64
    ) -> Receipt? {
        guard let parsed = DeliveryReceipt(pdu) else { return nil }
        return receipt(parsed, pdu.sourceAddr, pdu.destinationAddr, pdu.tlvs, connector, now)
    }

    private static func receipt(
        _ parsed: DeliveryReceipt, _ source: SMEAddress, _ destination: SMEAddress, _ tlvs: TLVs, _ connector: String, _ now: Int64
    ) -> Receipt? {
        guard let id = parsed.messageID, !id.isEmpty else { return nil }
        var receipt = Receipt()
        receipt.connector = connector
        receipt.smscid = id
        receipt.status = status(parsed)
        receipt.error = parsed.error ?? parsed.networkErrorCode.map { String($0.code) } ?? ""
        if receipt.status != .delivered { receipt.reasonText = parsed.statWord ?? "" }
        receipt.submittedAt = parsed.submitDate.flatMap { SMPPTime.parseReceiptDate($0, now: now) } ?? 0
        receipt.doneAt = parsed.doneDate.flatMap { SMPPTime.parseReceiptDate($0, now: now) } ?? 0
        receipt.receivedAt = now
        receipt.source = MessageReader.address(source)
        receipt.destination = MessageReader.address(destination)
        for tlv in tlvs where tlv.tag.isVendorSpecific {
            var option = Option()
            option.name = tlvOption(tlv.tag)
            option.value = hex(tlv.value)
            receipt.options.append(option)
        }
        return receipt
    }

    /// The state in the TLV or in the text; a receipt that says neither says that the message ended, nobody knows how.
    private static func status(_ receipt: DeliveryReceipt) -> Status {
        receipt.state.map { Status($0) } ?? .unknown
    }
}

extension Status {
    /// SMPP 3.4, 5.2.28.
    init(_ state: MessageState) {
        switch state {
        case .delivered: self = .delivered
        case .expired: self = .expired
        case .deleted: self = .deleted
        case .undeliverable: self = .undeliverable
        // Taken by somebody on the recipient's behalf (5.2.28): an end, and a good one, though not on the handset.
        case .accepted: self = .relayed
        case .rejected: self = .rejected
        case .enroute, .scheduled: self = .buffered
        default: self = .unknown
        }
    }
}
