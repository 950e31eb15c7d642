import Bus
import Message
import ServiceKit
import Store
import SwiftProtobuf

/// What senders order of messages that wait here: cancel_sm and replace_sm, decided by the ingress (docs/smpp.md, "Cancel and replace").
extension QueueConnector {
    /// Follows what is ordered now of these messages.
    /// - Returns: where those stand that are being decided; nothing of those that never were here.
    final func consider(_ msgids: [Int64]) -> [Int64: QueueOrderVote] {
        let standings = book.standings(of: msgids)
        var votes: [Int64: QueueOrderVote] = [:]
        for msgid in msgids {
            let standing = standings[msgid] ?? QueueOrderBook.Standing()
            if let outgoing = queue.outgoing(msgid) {
                votes[msgid] = follow(standing, outgoing)
            } else if standing.asked != nil, ended.contains(msgid) {
                votes[msgid] = .late
            }
        }
        pump()
        report()
        return votes
    }

    /// For messages that just came in.
    final func follow(_ standings: [Int64: QueueOrderBook.Standing]) {
        for (msgid, standing) in standings { if let outgoing = queue.outgoing(msgid) { _ = follow(standing, outgoing) } }
    }

    private func follow(_ standing: QueueOrderBook.Standing, _ outgoing: Outgoing) -> QueueOrderVote? {
        // It went to another instance, which follows the orders too; what we sent of it is sent.
        if outgoing.claim.isVoid { return outgoing.isUntouched ? nil : .late }
        if standing.isCancelled {
            guard outgoing.underWay == 0, queue.end(outgoing) else { return nil }
            cancelled(outgoing)
            return nil
        }
        var current = outgoing
        if let order = standing.replacement, let replaced = replaced(outgoing, by: order) { current = replaced }
        guard let asked = standing.asked else {
            queue.release(current)
            return nil
        }
        guard current.isUntouched, asked.kind == .cancel || written(current.message, asked) != nil else {
            queue.release(current)
            return .late
        }
        queue.withhold(current)
        return .held
    }

    private func cancelled(_ outgoing: Outgoing) {
        counters.cancelled.add()
        let taken = outgoing.smscids.count { $0 != nil }
        var text = "cancelled by its sender"
        if taken > 0 { text += "; \(taken) of \(outgoing.parts.count) parts had been taken already" }
        end(outgoing, as: .deleted, reason: 0, text: text)
    }

    /// - Returns: nil where it was replaced already, or is not to be: a provider has parts of it.
    private func replaced(_ outgoing: Outgoing, by order: QueueOrder) -> Outgoing? {
        guard outgoing.replacedBy != order.id, outgoing.isUntouched, let (message, parts) = written(outgoing.message, order) else {
            return nil
        }
        queue.replace(outgoing, with: message, parts: parts, by: order.id)
        return queue.outgoing(message.msgid)
    }

    private func written(_ message: ShortMessage, _ order: QueueOrder) -> (ShortMessage, [Part])? {
        guard let new = try? ShortMessage(serializedBytes: order.record) else { return nil }
        // The number of parts stays as it was charged: what is really sent is in the submission, by which billing corrects it.
        var message = message
        message.body = new.body
        message.reportRequest = new.reportRequest
        message.intermediateReports = new.intermediateReports
        // Not given: as it was (SMPP 3.4 §4.10.1).
        if new.expiresAt != 0 { message.expiresAt = new.expiresAt }
        guard let parts = try? maker.parts(of: message) else { return nil }
        return (message, parts)
    }
}
