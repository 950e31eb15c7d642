public import Message
public import SMPP

/// A delivery report towards a client: deliver_sm with the text of SMPP 3.4, Appendix B, and the same in TLVs. Pure.
public enum ReceiptWriter {
    public static func deliverSm(for message: ShortMessage) throws -> DeliverSm {
        let report = message.report
        let state = MessageState(report.status)
        let id = message.clientReference.isEmpty ? String(message.origMsgid) : message.clientReference
        let delivered = report.status == .delivered
        let receipt = DeliveryReceipt(
            messageID: id, state: state, error: errorText(report.error), submitted: 1, delivered: delivered ? 1 : 0,
            submitDate: SMPPTime.receiptDate(report.submittedAt == 0 ? message.times.accepted : report.submittedAt),
            doneDate: SMPPTime.receiptDate(report.doneAt == 0 ? message.times.accepted : report.doneAt), text: "")
        var pdu = DeliverSm(
            sourceAddr: MessageWriter.address(message.source), destinationAddr: MessageWriter.address(message.destination),
            esmClass: report.status.isIntermediate ? ESMClass(rawValue: 0x20) : ESMClass(rawValue: 0x04),
            shortMessage: receipt.encodedText)
        pdu.tlvs.set(.receiptedMessageID, text: id)
        pdu.tlvs.set(.messageState, state.rawValue)
        // What a provider's own parameters said in its receipt, where the report carries it.
        pdu.tlvs = TLVs(pdu.tlvs + MessageWriter.parameters(message.options).filter(\.tag.isVendorSpecific))
        return pdu
    }

    /// Appendix B gives `err` three characters; codes of our own and of command_status are numbers.
    private static func errorText(_ error: String) -> String {
        let text = error.isEmpty ? "000" : error
        return text.utf8.count < 3 ? String(repeating: "0", count: 3 - text.utf8.count) + text : text
    }
}

extension MessageState {
    /// SMPP 3.4, 5.2.28.
    init(_ status: Status) {
        switch status {
        case .delivered: self = .delivered
        case .relayed: self = .accepted
        case .expired: self = .expired
        case .deleted: self = .deleted
        case .undeliverable, .failed: self = .undeliverable
        case .rejected: self = .rejected
        case .accepted, .routed, .queued, .submitted, .buffered: self = .enroute
        case .unknown, .unspecified, .UNRECOGNIZED: self = .unknown
        }
    }
}

extension Status {
    var isIntermediate: Bool { rawValue < Status.relayed.rawValue }
}
