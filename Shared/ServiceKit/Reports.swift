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
    ///   - settled: how its charge stands, from the stage that settled it. `nil`: billing is asked to give back what was booked for it.
    public static func end(
        _ message: ShortMessage, as status: Status, reason: UInt32, text: String, at now: Int64, reportID: @autoclosure () -> Int64,
        connector: String = "", settled: Charge? = nil
    ) -> [OutgoingRecord] {
        var event = Event()
        event.msgid = message.msgid
        event.at = now
        event.status = status
        event.connector = message.outConnector
        event.reason = reason
        event.reasonText = text
        event.times = message.times
        if let settled, settled.mechanism > 1 { event.charge = settled }
        var records = [OutgoingRecord(topic: Topics.events, key: String(message.msgid), value: encode(event))]
        if settled == nil, message.charge.mechanism > 1 { records.append(refund(message, status: status, why: text, taken: false)) }
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

    /// Asks billing to give back, by the account's policy, what was booked for a message that did not come about.
    /// - Parameter taken: the provider had taken it.
    public static func refund(_ message: ShortMessage, status: Status, why: String, taken: Bool) -> OutgoingRecord {
        var submission = Submission()
        submission.message = message
        submission.message.clearBody()
        submission.message.options = []
        submission.status = status
        submission.reasonText = why
        submission.taken = taken
        // By account, so that two instances seldom wait for each other's lock.
        return OutgoingRecord(topic: Topics.refunds, key: message.account, value: encode(submission))
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

    /// The report on its way to the client, and its own line in the log (EMG's type 5). Of a message that was put together from
    /// parts, each part's id gets a report that asked for one.
    /// - Parameters:
    ///   - id: the report's own; asked once for each report.
    ///   - target: the connector that delivers it; `nil` = the account's `routedlr`, else where the original came in.
    public static func reportRecords(
        for original: ShortMessage, report: Report, id: @autoclosure () -> Int64, at now: Int64, to target: String? = nil
    ) -> [OutgoingRecord] {
        guard !original.joined.isEmpty else { return single(for: original, report: report, id: id(), at: now, to: target) }
        let status = report.status
        return original.joined.flatMap { part -> [OutgoingRecord] in
            let isWanted =
                status.isFinal
                ? wants(part.reportRequest, status) : status == .submitted ? part.submissionReport : part.intermediateReports
            guard isWanted else { return [] }
            var told = original
            told.msgid = part.msgid
            told.clientReference = part.clientReference
            return single(for: told, report: report, id: id(), at: now, to: target)
        }
    }

    private static func single(
        for original: ShortMessage, report: Report, id: Int64, at now: Int64, to target: String?
    ) -> [OutgoingRecord] {
        let target = target ?? home(of: original)
        var message = ShortMessage()
        message.msgid = id
        message.type = .deliveryReport
        message.origMsgid = original.msgid
        message.inConnector = report.connector
        message.outConnector = target
        message.account = original.account
        // It travels the other way: from the recipient to the sender.
        message.source = original.hasClientDestination ? original.clientDestination : original.destination
        message.destination = original.source
        message.report = report
        message.report.options = []
        message.options = report.options
        message.times.accepted = now
        message.clientReference = original.clientReference
        if original.hasReportCallback { message.reportCallback = original.reportCallback }
        message.parts = 1
        var event = Event()
        event.msgid = id
        event.at = now
        event.status = .queued
        event.message = message
        let payload = encode(message)
        return [
            // One account's reports stay in order.
            OutgoingRecord(topic: Topics.queue(target), key: original.account, value: payload),
            OutgoingRecord(topic: Topics.events, key: String(id), value: encode(event)),
        ]
    }
}

extension Reports {
    /// Where reports on a message go, unless the connector that brings one says otherwise.
    public static func home(of original: ShortMessage) -> String {
        original.reportConnector.isEmpty ? original.inConnector : original.reportConnector
    }
}

extension Status {
    /// From here on nothing changes any more.
    public var isFinal: Bool { rawValue >= Status.relayed.rawValue }
}
