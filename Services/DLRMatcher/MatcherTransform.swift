import Bus
import Database
import Message
import ServiceKit

/// Works on a batch of submissions and receipts in one PostgreSQL transaction.
///
/// Replays find the same answer: an open entry is closed by the position of the record that closed it, so the same record, read
/// again, yields the same report, and another record for a closed entry (a provider's duplicate) yields none.
final class MatcherTransform: StageTransform {
    private static let sweepMilliseconds: Int64 = 2_000
    /// By how much the database's clock may run ahead between two sweeps and still not have been set.
    private static let toleratedMilliseconds: Int64 = 5_000

    private let rules: () -> ReportRules
    private let ids: SharedMessageIDs
    private let connect: () throws -> Connection
    private var connection: Connection?
    private var lastSweep: Int64 = 0
    private var sweptTo = EarlyReceipts.Place()
    /// How far the database's clock was ahead of the steady one at the last sweep, in milliseconds.
    private var clockLead: Int64?

    init(rules: @escaping () -> ReportRules, ids: SharedMessageIDs, connect: @escaping () throws -> Connection) {
        self.rules = rules
        self.ids = ids
        self.connect = connect
    }

    func process(_ batch: [Record]) throws -> StageOutput {
        var submissions: [(submission: Submission, position: String)] = []
        var receipts: [MatchReceipt] = []
        let rules = rules()
        for record in batch {
            if record.topic == Topics.submitted {
                submissions.append((try decode(Submission.self, record), record.position))
            } else {
                receipts.append(
                    MatchReceipt(
                        receipt: try decode(Receipt.self, record), source: record.position, bytes: record.value, rules: rules))
            }
        }
        let now = wallClockMilliseconds()
        var output = StageOutput()
        var opened: [OpenEntry] = []
        for (submission, _) in submissions {
            output.records += taken(submission, rules, now)
            if submission.status == .submitted {
                opened += OpenEntry.entries(
                    of: submission, now: now, expirySeconds: rules.expirySeconds(submission.connector))
            } else {
                output.records += ended(submission, rules, now)
            }
        }
        if !opened.isEmpty || !receipts.isEmpty {
            let matched = try inTransaction { connection in
                try Matching.run(connection, opened: opened, receipts: receipts, rules: rules)
            }
            output.records += matched.reports.flatMap { report($0, rules, now) }
            if !matched.usedEarly.isEmpty {
                output.afterCommit = { [self] in
                    // A crash before this leaves rows that the sweep recognizes as used.
                    _ = try usable().execute("DELETE FROM early_receipt WHERE source = ANY($1::text[])", [.textArray(matched.usedEarly)])
                }
            }
        }
        if isSweepDue {
            let swept = try sweep()
            let before = output.afterCommit
            output.records += swept.records
            output.afterCommit = {
                try before?()
                try swept.afterCommit?()
            }
        }
        return output
    }

    func idle() throws -> StageOutput {
        guard isSweepDue else { return StageOutput() }
        return try sweep()
    }

    private var isSweepDue: Bool { monotonicMilliseconds() - lastSweep >= MatcherTransform.sweepMilliseconds }

    private func sweep() throws -> StageOutput {
        lastSweep = monotonicMilliseconds()
        do {
            let connection = try usable()
            let lead = try Sweep.clock(connection) - monotonicMilliseconds()
            // Set ahead, that clock makes what came a moment ago look old: then this sweep says of nothing that it waited in vain.
            let hasStepped = clockLead.map { lead - $0 > MatcherTransform.toleratedMilliseconds } ?? false
            clockLead = lead
            return try Sweep.run(connection, from: &sweptTo, orphanSeconds: hasStepped ? nil : rules().orphanSeconds)
        } catch {
            // Lost while it lay idle, perhaps: the next try begins with a fresh one.
            connection = nil
            throw error
        }
    }

    private func usable() throws -> Connection {
        if let connection { return connection }
        let fresh = try connect()
        connection = fresh
        return fresh
    }

    private func inTransaction<Result>(_ body: (Connection) throws -> Result) throws -> Result {
        let connection = try usable()
        do {
            return try connection.transaction { try body(connection) }
        } catch {
            self.connection = nil
            throw error
        }
    }

    /// For who wants to hear when the provider has taken a message.
    private func taken(_ submission: Submission, _ rules: ReportRules, _ now: Int64) -> [OutgoingRecord] {
        guard submission.message.submissionReport, submission.status == .submitted || submission.status == .relayed else { return [] }
        var report = Report()
        report.status = .submitted
        return answered(submission, report, rules, now)
    }

    /// What ended at the provider's answer: refused, or taken by one that sends no reports.
    private func ended(_ submission: Submission, _ rules: ReportRules, _ now: Int64) -> [OutgoingRecord] {
        guard Reports.wants(submission.message.reportRequest, submission.status) else { return [] }
        guard submission.status != .relayed || rules.generatesReports(submission.connector) else { return [] }
        var report = Report()
        report.status = submission.status == .relayed ? .delivered : submission.status
        report.error = submission.reason == 0 ? "" : String(submission.reason)
        report.reasonText = submission.reasonText
        return answered(submission, report, rules, now)
    }

    /// A report made of the provider's answer.
    private func answered(_ submission: Submission, _ report: Report, _ rules: ReportRules, _ now: Int64) -> [OutgoingRecord] {
        var report = report
        report.smscid = submission.smscids.first ?? ""
        report.submittedAt = submission.message.times.submitted
        report.doneAt = now
        report.connector = submission.connector
        return Reports.reportRecords(
            for: submission.message, report: report, id: ids.next(now: now), at: now,
            to: rules.target(for: submission.message, broughtBy: submission.connector))
    }

    /// The news for the log, the client's report where one was asked for, and the money of who pays on delivery.
    private func report(_ matched: MatchedReport, _ rules: ReportRules, _ now: Int64) -> [OutgoingRecord] {
        let message = matched.message
        let status = matched.report.status
        var records: [OutgoingRecord] = []
        if matched.isNews {
            var event = Event()
            event.msgid = message.msgid
            event.at = matched.receivedAt == 0 ? now : matched.receivedAt
            event.connector = matched.report.connector
            event.report = matched.report
            event.report.options = []  // for the client, not for the log
            if status.isFinal { event.status = status }
            records.append(OutgoingRecord(topic: Topics.events, key: String(event.msgid), value: encode(event)))
            if status.isFinal, status != .delivered, status != .relayed, message.charge.policy == 3 {
                let why = matched.report.reasonText.isEmpty ? "\(status)" : matched.report.reasonText
                records.append(Reports.refund(message, status: status, why: why, taken: true))
            }
        }
        let tellsClient = status.isFinal ? Reports.wants(message.reportRequest, status) : message.intermediateReports
        if tellsClient, matched.isForClient {
            records += Reports.reportRecords(
                for: message, report: matched.report, id: ids.next(now: now), at: now,
                to: rules.target(for: message, broughtBy: matched.report.connector))
        }
        return records
    }
}
