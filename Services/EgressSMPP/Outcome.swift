import Bus
import Message
import SMPP
import ServiceKit

/// What a provider's answer, or our giving up, comes to on `sms.submitted`. Pure but for the clock.
enum Outcome {
    /// The provider took every part.
    static func submitted(_ message: ShortMessage, connector: String, smscids: [String], expectsReports: Bool) -> OutgoingRecord {
        var submission = Submission()
        submission.message = message
        submission.message.times.answered = wallClockMilliseconds()
        submission.connector = connector
        submission.smscids = smscids
        submission.parts = UInt32(smscids.count)
        submission.status = expectsReports && message.awaitsReport ? .submitted : .relayed
        return record(submission)
    }

    /// It ends here.
    static func ended(_ message: ShortMessage, connector: String, as status: Status, reason: UInt32, text: String) -> OutgoingRecord {
        var submission = Submission()
        submission.message = message
        submission.message.times.answered = wallClockMilliseconds()
        submission.connector = connector
        submission.status = status
        submission.reason = reason
        submission.reasonText = text
        return record(submission)
    }

    /// It met a passing error: back into its queue later, with what the provider took already; or it ends here.
    static func putOff(
        _ message: ShortMessage, takenParts: [TakenPart], connector: String, queue: String, by status: CommandStatus,
        now: Int64 = wallClockMilliseconds()
    ) -> [OutgoingRecord] {
        var message = message
        message.attempts = message.attempts &+ 1
        message.takenParts = takenParts
        switch RetryScheme.decide(attempts: message.attempts, expiresAt: message.expiresAt, now: now) {
        case .expired:
            let text = "validity period ends before the next attempt; the provider refused it for now: \(status)"
            return [ended(message, connector: connector, as: .expired, reason: status.rawValue, text: text)]
        case .failed:
            let text = "the provider refused it \(message.attempts) times: \(status)"
            return [ended(message, connector: connector, as: .failed, reason: status.rawValue, text: text)]
        case .again(let due):
            var event = Event()
            event.msgid = message.msgid
            event.at = now
            event.connector = connector
            event.note = "attempt \(message.attempts) met \(status); again at \(utcText(due))"
            let record = OutgoingRecord(topic: queue, key: message.destination.number, value: encode(message))
            return [
                DelayTier.delaying(record, until: due, now: now, reason: "retry"),
                OutgoingRecord(topic: Topics.events, key: String(message.msgid), value: encode(event)),
            ]
        }
    }

    private static func record(_ submission: Submission) -> OutgoingRecord {
        OutgoingRecord(
            topic: Topics.submitted, key: receiptKey(submission.connector, submission.smscids.first ?? String(submission.message.msgid)),
            value: encode(submission))
    }
}
