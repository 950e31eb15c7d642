package import Message
import SMPP
import SMPPMessage
import ServiceKit
package import Store

extension DeskDecision {
    /// An order must be in the database before the message fires, on clocks that differ a little.
    package static let marginMilliseconds: Int64 = 2_000
    /// The log is behind the acceptance by some 200 ms; by more when there is much to do.
    package static let youngMilliseconds: Int64 = 30_000

    /// - Parameters:
    ///   - message: nil where the log has none of that id of this account.
    ///   - now: milliseconds since 1970.
    package static func decide(_ request: DeskRequest, _ message: OwnMessage?, now: Int64) -> DeskDecision {
        guard let message else {
            let age = now - MessageIDs.time(of: request.msgid)
            guard age < youngMilliseconds, age > -youngMilliseconds else { return .answer(.refused(.invalidMessageID)) }
            return .askAgain
        }
        if let source = request.source, !source.isEmpty, source != message.source { return .answer(.refused(request.wish.failure)) }
        switch request.wish {
        case .query: return .answer(state(message))
        case .cancel(let destination):
            if !destination.isEmpty, destination != message.destination { return .answer(.refused(.cancelFailed)) }
            // Said twice is as good as once.
            if message.order == .cancel { return .answer(.done) }
            guard let due = waitsUntil(message, now) else { return .answer(.refused(.cancelFailed)) }
            return .order(.cancel, due: due, replacement: nil)
        case .replace(let replace):
            guard message.order != .cancel, let due = waitsUntil(message, now) else { return .answer(.refused(.replaceFailed)) }
            return replacement(replace, message, due: due, now: now)
        }
    }

    /// When it fires; nil where it does not wait for a scheduled time any more, or never did.
    private static func waitsUntil(_ message: OwnMessage, _ now: Int64) -> Int64? {
        guard message.status <= Int64(Status.accepted.rawValue), let due = message.due, due > now + marginMilliseconds else { return nil }
        return due
    }

    private static func replacement(_ replace: ReplaceSm, _ message: OwnMessage, due: Int64, now: Int64) -> DeskDecision {
        // replace_sm has no data_coding: the text is written as the original's was.
        var submit = SubmitSm(
            sourceAddr: replace.sourceAddr, destinationAddr: SMEAddress(ton: .unknown, npi: .unknown, value: message.destination),
            scheduleDeliveryTime: replace.scheduleDeliveryTime, validityPeriod: replace.validityPeriod,
            registeredDelivery: replace.registeredDelivery,
            dataCoding: DataCoding(rawValue: UInt8(truncatingIfNeeded: message.dataCoding)), shortMessage: replace.shortMessage)
        submit.tlvs = replace.tlvs
        do throws(MessageReader.Refusal) {
            let new = try MessageReader.message(from: submit, now: now)
            // It comes out of its queue at its old time: a later one it can wait for, an earlier one is past.
            if new.scheduledAt != 0, new.scheduledAt < due { return .answer(.refused(.invalidScheduledDelivery)) }
            return .order(.replace, due: max(due, new.scheduledAt), replacement: new)
        } catch {
            return .answer(.refused(error.status))
        }
    }

    private static func state(_ message: OwnMessage) -> DeskAnswer {
        let status = Status(rawValue: Int(message.status)) ?? .unknown
        let state: MessageState =
            switch status {
            case .delivered: .delivered
            case .relayed: .accepted
            case .expired: .expired
            case .deleted: .deleted
            case .failed, .undeliverable: .undeliverable
            case .rejected: .rejected
            // 5.0 has a state of its own for it; in 3.4 what waits is on its way.
            case .unspecified, .accepted, .routed, .queued, .submitted, .buffered: message.order == .cancel ? .deleted : .enroute
            case .unknown, .UNRECOGNIZED: .unknown
            }
        let ended = status.isFinal ? message.endedAt.map { SMPPTime.absolute($0) } : nil
        return .state(state, finalDate: ended ?? "", error: UInt8(exactly: message.reason) ?? 0)
    }

    /// What the end of a cancelled message needs of it.
    package static func cancelled(_ message: OwnMessage, account: String) -> ShortMessage {
        var result = ShortMessage()
        result.msgid = message.msgid
        result.type = .message
        result.account = account
        result.inConnector = message.inConnector
        result.source = MessageReader.address(message.source)
        result.destination = MessageReader.address(message.destination)
        result.reportRequest = ReportRequest(rawValue: Int(message.reportRequest)) ?? .none
        result.times.accepted = message.acceptedAt ?? 0
        return result
    }
}
