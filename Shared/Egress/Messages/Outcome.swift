public import Bus
public import Configuration
public import Message
public import ServiceKit

/// What a provider's answer, or our giving up, comes to on the bus. Pure but for the clock.
public enum Outcome {
    /// The provider took every part.
    /// - Parameter parts: that it makes of the message, where it was given it in fewer pieces than that.
    public static func submitted(
        _ message: ShortMessage, connector: String, smscids: [String], expectsReports: Bool, parts: Int? = nil
    ) -> OutgoingRecord {
        var submission = Submission()
        submission.message = message
        submission.message.times.answered = wallClockMilliseconds()
        submission.connector = connector
        submission.smscids = smscids
        submission.parts = UInt32(clamping: parts ?? smscids.count)
        submission.status = expectsReports && message.awaitsReport ? .submitted : .relayed
        return record(submission)
    }

    /// It ends here.
    public static func ended(_ message: ShortMessage, connector: String, as status: Status, reason: UInt32, text: String) -> OutgoingRecord
    {
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
    public static func putOff(
        _ message: ShortMessage, takenParts: [TakenPart], connector: String, queue: String, by refusal: Refusal, plan: RetryPlan,
        now: Int64 = wallClockMilliseconds()
    ) -> [OutgoingRecord] {
        var message = message
        message.attempts = message.attempts &+ 1
        message.takenParts = takenParts
        switch RetryScheme.decide(plan, attempts: message.attempts, expiresAt: message.expiresAt, now: now) {
        case .expired:
            let text = "validity period ends before the next attempt; for now: \(refusal.text)"
            return [ended(message, connector: connector, as: .expired, reason: refusal.status, text: text)]
        case .failed:
            let text = "\(message.attempts) attempts: \(refusal.text)"
            return [ended(message, connector: connector, as: .failed, reason: refusal.status, text: text)]
        case .again(let due):
            let record = OutgoingRecord(topic: queue, key: message.destination.number, value: encode(message))
            return [
                DelayTier.delaying(record, until: due, now: now, reason: "retry"),
                note(message, connector, "attempt \(message.attempts): \(refusal.text); again at \(utcText(due))", now),
            ]
        }
    }

    /// This connector is not its way: back to the router, which picks the next one. It keeps its charge, so that billing books the
    /// difference only; no report goes to the client.
    public static func failedOver(
        _ message: ShortMessage, connector: String, by refusal: Refusal, validitySeconds: Int?, now: Int64 = wallClockMilliseconds()
    ) -> [OutgoingRecord] {
        var message = message
        message.triedConnectors.append(connector)
        message.outConnector = ""
        message.attempts = 0
        message.takenParts = []
        message.hops = message.hops &+ 1
        message.refusal = refusal.status
        message.refusalText = "\(connector): \(refusal.text)"
        // VP is this connector's, not the message's.
        if let validitySeconds, message.expiresAt == ownExpiry(message, validitySeconds) { message.expiresAt = 0 }
        return [
            OutgoingRecord(topic: Topics.due, key: message.destination.number, value: encode(message)),
            note(message, connector, "\(connector): \(refusal.text); on to the next route", now),
        ]
    }

    /// When a message without a validity period of its own expires, by VP.
    public static func ownExpiry(_ message: ShortMessage, _ seconds: Int) -> Int64 { message.times.accepted + Int64(seconds) * 1_000 }

    private static func note(_ message: ShortMessage, _ connector: String, _ text: String, _ now: Int64) -> OutgoingRecord {
        var event = Event()
        event.msgid = message.msgid
        event.at = now
        event.connector = connector
        event.note = text
        return OutgoingRecord(topic: Topics.events, key: String(message.msgid), value: encode(event))
    }

    private static func record(_ submission: Submission) -> OutgoingRecord {
        OutgoingRecord(
            topic: Topics.submitted, key: receiptKey(submission.connector, submission.smscids.first ?? String(submission.message.msgid)),
            value: encode(submission))
    }
}
