public import Bus
import Foundation
public import Message

/// How a message ends that goes no further: the event for the log and, where the sender asked for one, the report.
///
/// Used by every stage that can end a message, so that "no message without an end" is said in one place.
public enum Reports {
    /// - Parameters:
    ///   - reason: the protocol's own code where a provider gave one, else 0.
    ///   - text: why, for a person.
    ///   - refunded: the charge was taken back.
    public static func end(
        _ message: ShortMessage, as status: Status, reason: UInt32, text: String, at now: Int64, reportID: @autoclosure () -> Int64,
        connector: String = ""
    ) -> [OutgoingRecord] {
        var event = Event()
        event.msgid = message.msgid
        event.at = now
        event.status = status
        event.connector = message.outConnector
        event.reason = reason
        event.reasonText = text
        event.times = message.times
        var records = [OutgoingRecord(topic: Topics.events, key: String(message.msgid), value: encode(event))]
        var report = Report()
        report.status = status
        report.error = reason == 0 ? "" : String(reason)
        report.reasonText = text
        report.submittedAt = message.times.accepted
        report.doneAt = now
        report.connector = connector
        if wants(message.reportRequest, status) {
            records += reportRecords(for: message, report: report, id: reportID(), at: now)
        }
        return records
    }

    /// Whether the sender asked to be told of this end (SMPP 3.4, 5.2.17).
    public static func wants(_ request: ReportRequest, _ status: Status) -> Bool {
        let succeeded = status == .delivered || status == .relayed
        switch request {
        case .none, .UNRECOGNIZED: return false
        case .final: return true
        case .onFailure: return !succeeded
        case .onSuccess: return succeeded
        }
    }

    /// The report on its way to the client, and its own line in the log (EMG's type 5).
    public static func reportRecords(for original: ShortMessage, report: Report, id: Int64, at now: Int64) -> [OutgoingRecord] {
        var message = ShortMessage()
        message.msgid = id
        message.type = .deliveryReport
        message.origMsgid = original.msgid
        message.inConnector = report.connector
        let connector = original.reportConnector.isEmpty ? original.inConnector : original.reportConnector
        message.outConnector = connector
        message.account = original.account
        // It travels the other way: from the recipient to the sender.
        message.source = original.hasClientDestination ? original.clientDestination : original.destination
        message.destination = original.source
        message.report = report
        message.times.accepted = now
        message.clientReference = original.clientReference
        message.parts = 1
        var event = Event()
        event.msgid = id
        event.at = now
        event.status = .queued
        event.message = message
        let payload = encode(message)
        return [
            // One account's reports stay in order.
            OutgoingRecord(topic: Topics.queue(connector), key: original.account, value: payload),
            OutgoingRecord(topic: Topics.events, key: String(id), value: encode(event)),
        ]
    }
}

extension Status {
    /// From here on nothing changes any more.
    public var isFinal: Bool { rawValue >= Status.relayed.rawValue }
}
