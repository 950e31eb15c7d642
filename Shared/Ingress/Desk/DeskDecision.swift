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
            switch place(message, now) {
            case .scheduled(let due): return .order(.cancel, due: due, replacement: nil)
            case .underWay: return .ask(.cancel, replacement: nil)
            case .gone: return .answer(.refused(.cancelFailed))
            }
        case .replace(let replace):
            guard message.order != .cancel else { return .answer(.refused(.replaceFailed)) }
            switch place(message, now) {
            case .scheduled(let due): return replacement(replace, message, due: due, now: now)
            case .underWay: return replacement(replace, message, due: nil, now: now)
            case .gone: return .answer(.refused(.replaceFailed))
            }
        }
    }

    private enum Place {
        /// It fires then.
        case scheduled(due: Int64)
        /// Between its acceptance (or its scheduled time) and a provider.
        case underWay
        case gone
    }

    private static func place(_ message: OwnMessage, _ now: Int64) -> Place {
        guard message.status < Int64(Status.submitted.rawValue) else { return .gone }
        guard let due = message.due else { return .underWay }
        if due > now + marginMilliseconds, message.status <= Int64(Status.accepted.rawValue) { return .scheduled(due: due) }
        // About to fire, or just fired: it is in nobody's hands for a moment.
        return due < now - marginMilliseconds ? .underWay : .gone
    }

    /// - Parameter due: when it fires; nil where it does not wait for a time.
    private static func replacement(_ replace: ReplaceSm, _ message: OwnMessage, due: Int64?, now: Int64) -> DeskDecision {
        let coding = DataCoding(rawValue: UInt8(truncatingIfNeeded: message.dataCoding))
        do throws(MessageReader.Refusal) {
            let new = try MessageReader.replacement(from: replace, originalDataCoding: coding, now: now).message
            guard let due else {
                // What was priced and queued already does not wait for a time again.
                guard new.scheduledAt == 0 else { return .answer(.refused(.invalidScheduledDelivery)) }
                return .ask(.replace, replacement: new)
            }
            // It comes out of its queue at its old time: a later one it can wait for, an earlier one is past.
            if new.scheduledAt != 0, new.scheduledAt < due { return .answer(.refused(.invalidScheduledDelivery)) }
            return .order(.replace, due: max(due, new.scheduledAt), replacement: new)
        } catch {
            return .answer(.refused(error.status))
        }
    }

    private static func state(_ message: OwnMessage) -> DeskAnswer {
        let status = Status(rawValue: Int(message.status)) ?? .unknown
        // It is called off, whenever it comes out of its queue.
        if !status.isFinal, message.order == .cancel { return .state(.deleted, finalDate: "", error: 0) }
        let answer = MessageReader.queryAnswer(
            messageID: "", status: status == .unspecified ? .accepted : status, finalAt: message.endedAt ?? 0,
            error: Int(clamping: message.reason))
        return .state(answer.messageState, finalDate: answer.finalDate, error: answer.errorCode)
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
