import Bus
import Message
import ServiceKit
import Store
import SwiftProtobuf

/// What becomes of scheduled messages that fire, with what their senders ordered meanwhile (cancel_sm, replace_sm). Pure.
enum DelayOrders {
    /// - Parameters:
    ///   - fired: records on their way to `sms.due`.
    ///   - orders: by message id.
    /// - Returns: what goes on in their place.
    static func apply(
        _ fired: [(record: OutgoingRecord, message: ShortMessage)], _ orders: [Int64: MessageOrder], now: Int64, reportID: () -> Int64
    ) -> [OutgoingRecord] {
        fired.flatMap { record, message -> [OutgoingRecord] in
            switch orders[message.msgid] {
            case nil: return [record]
            case .some(let order) where order.kind == .cancel:
                // Its end is in the log since it was cancelled, unless the ingress died then.
                guard !order.hasEnded else { return [] }
                return Reports.end(
                    message, as: .deleted, reason: 0, text: "cancelled by its sender", at: now, reportID: reportID())
            case .some(let order):
                guard let new = try? ShortMessage(serializedBytes: order.record) else { return [record] }
                var replaced = record
                let message = replacing(message, with: new)
                replaced.value = encode(message)
                // Later than it was: it waits once more, and is looked up again then.
                guard message.scheduledAt > now else { return [replaced] }
                return [DelayTier.delaying(replaced, until: message.scheduledAt, now: now, reason: "scheduled again")]
            }
        }
    }

    private static func replacing(_ message: ShortMessage, with new: ShortMessage) -> ShortMessage {
        var message = message
        message.body = new.body
        message.parts = new.parts
        message.reportRequest = new.reportRequest
        message.intermediateReports = new.intermediateReports
        // Not given: as it was (SMPP 3.4 §4.10.1).
        if new.expiresAt != 0 { message.expiresAt = new.expiresAt }
        if new.scheduledAt != 0 { message.scheduledAt = new.scheduledAt }
        return message
    }
}
