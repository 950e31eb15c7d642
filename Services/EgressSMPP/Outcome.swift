import Bus
import Message
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
        submission.status = expectsReports && message.reportRequest != .none ? .submitted : .relayed
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

    private static func record(_ submission: Submission) -> OutgoingRecord {
        OutgoingRecord(
            topic: Topics.submitted, key: receiptKey(submission.connector, submission.smscids.first ?? String(submission.message.msgid)),
            value: encode(submission))
    }
}
