import Database
import Message
import ServiceKit
import SwiftProtobuf

/// A row of `open_dlr`, locked for the time of the batch.
struct StoredEntry {
    var connector: String
    var smscid: String
    var msgid: Int64
    var part: Int64
    var parts: Int
    var message: ShortMessage
    var closedBy: String?
    var closedSequence: Int64
    var status: Status
    var error: String
    var reasonText: String
    /// Milliseconds since 1970; 0 = unknown.
    var doneAt: Int64
    var receivedAt: Int64
    /// Vendors' parameters of the receipt that closed it.
    var options: [Option] = []

    var key: ReceiptKey { ReceiptKey(connector: connector, key: ProviderID.key(smscid)) }

    /// The entries that `keys` name and those of `msgids`, and all other parts of the same messages, locked in one order everywhere.
    static func locked(for keys: Set<ReceiptKey>, msgids: [Int64], _ connection: Connection) throws -> [StoredEntry] {
        let ordered = Array(keys)
        let rows = try connection.query(
            """
            SELECT connector, smscid, msgid, part, parts, record, closed_by, closed_sequence, status, error, reason_text, done_at,
                received_at, options
            FROM open_dlr WHERE msgid = ANY(ARRAY(
                SELECT o.msgid FROM unnest($1::text[], $2::text[]) AS k(connector, key)
                CROSS JOIN LATERAL (SELECT msgid FROM open_dlr WHERE connector = k.connector AND match_key = k.key OFFSET 0) AS o
                UNION ALL SELECT unnest($3::bigint[])))
            ORDER BY msgid, part, connector, match_key FOR UPDATE
            """, [.textArray(ordered.map(\.connector)), .textArray(ordered.map(\.key)), .intArray(msgids.map { $0 })])
        return try rows.map { row in
            var entry = StoredEntry(
                connector: try row.text("connector"), smscid: try row.text("smscid"), msgid: try row.int("msgid"),
                part: try row.int("part"), parts: Int(try row.int("parts")),
                message: try ShortMessage(serializedBytes: try row.bytes("record")),
                closedBy: try row.optionalText("closed_by"), closedSequence: try row.optionalInt("closed_sequence") ?? 0,
                status: Status(rawValue: Int(try row.optionalInt("status") ?? 0)) ?? .unspecified,
                error: try row.optionalText("error") ?? "", reasonText: try row.optionalText("reason_text") ?? "",
                doneAt: try row.optionalInt("done_at") ?? 0, receivedAt: try row.optionalInt("received_at") ?? 0)
            if let stored = try row.optionalBytes("options") { entry.options = try Report(serializedBytes: stored).options }
            return entry
        }
    }

    mutating func close(by receipt: MatchReceipt, sequence: Int64) {
        closedBy = receipt.source
        closedSequence = sequence
        status = receipt.receipt.status
        error = receipt.receipt.error
        reasonText = receipt.receipt.reasonText
        doneAt = receipt.receipt.doneAt
        receivedAt = receipt.receipt.receivedAt
        options = receipt.receipt.options
    }

    /// They are locked: where a row stands does not change.
    static func write(_ closed: [StoredEntry], _ connection: Connection) throws {
        _ = try connection.execute(
            """
            UPDATE open_dlr SET closed_by = n.closed_by, closed_sequence = n.closed_sequence, status = n.status, error = n.error,
                reason_text = n.reason_text, done_at = n.done_at, received_at = n.received_at, options = n.options, closed_at = now()
            FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::bigint[], $6::smallint[], $7::text[], $8::text[], $9::bigint[],
                        $10::bigint[], $11::int[], $12::bytea[])
                AS n(connector, match_key, msgid, closed_by, closed_sequence, status, error, reason_text, done_at, received_at, part,
                    options)
            CROSS JOIN LATERAL (
                SELECT ctid FROM open_dlr
                WHERE connector = n.connector AND match_key = n.match_key AND msgid = n.msgid AND part = n.part OFFSET 0) AS place
            WHERE open_dlr.ctid = place.ctid
            """,
            [
                .textArray(closed.map(\.connector)), .textArray(closed.map { $0.key.key }), .intArray(closed.map(\.msgid)),
                .textArray(closed.map(\.closedBy)), .intArray(closed.map(\.closedSequence)),
                .intArray(closed.map { Int64($0.status.rawValue) }),
                .textArray(closed.map(\.error)), .textArray(closed.map(\.reasonText)), .intArray(closed.map(\.doneAt)),
                .intArray(closed.map(\.receivedAt)), .intArray(closed.map(\.part)), .bytesArray(closed.map(\.storedOptions)),
            ])
        try DueEntries.closed(closed.map(\.msgid), connection)
    }

    private var storedOptions: [UInt8]? {
        guard !options.isEmpty else { return nil }
        var report = Report()
        report.options = options
        return encode(report)
    }

    /// The report of the whole message, with the words of this part and the time of the last one.
    func finalReport(at last: StoredEntry) -> MatchedReport {
        var report = Report()
        report.status = status
        report.smscid = smscid
        report.error = error
        report.reasonText = reasonText
        report.submittedAt = message.times.submitted
        report.doneAt = last.doneAt == 0 ? last.receivedAt : last.doneAt
        report.connector = connector
        report.options = options
        return MatchedReport(message: message, report: report, receivedAt: last.receivedAt)
    }

    /// An intermediate report: it closes nothing.
    func report(of receipt: Receipt) -> MatchedReport {
        var report = Report()
        report.status = receipt.status
        report.smscid = smscid
        report.error = receipt.error
        report.reasonText = receipt.reasonText
        report.submittedAt = message.times.submitted
        report.doneAt = receipt.doneAt == 0 ? receipt.receivedAt : receipt.doneAt
        report.connector = connector
        report.options = receipt.options
        return MatchedReport(message: message, report: report, receivedAt: receipt.receivedAt)
    }
}
