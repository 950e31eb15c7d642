import Bus
import Database
import Message
import ServiceKit
import SwiftProtobuf

/// What the matcher does now and then rather than per batch: late pairs, entries without an answer, old rows.
///
/// Whatever has consequences is written to `sms.receipts` first and deleted afterwards: a crash in between repeats the receipt, and
/// the entry's closing makes the repetition harmless.
enum Sweep {
    /// The database's clock, in milliseconds since 1970.
    static func clock(_ connection: Connection) throws -> Int64 {
        let rows = try connection.query("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint")
        return try rows[0].int(0)
    }

    /// - Parameters:
    ///   - place: where in the early receipts the last sweep ended; moved on.
    ///   - orphanSeconds: how long a receipt waits for its submission; nil = none is given up now.
    static func run(_ connection: Connection, from place: inout EarlyReceipts.Place, orphanSeconds: Int?) throws -> StageOutput {
        var output = StageOutput()
        var done: [String?] = []
        for row in try EarlyReceipts.look(from: &place, connection) {
            done.append(try row.text("source"))
            // One that did its work, but whose matcher died before it tidied up, is only removed.
            guard try !row.bool("used") else { continue }
            // One that was kept while another instance was just writing its submission.
            let bytes = try row.bytes("record")
            let receipt = try Receipt(serializedBytes: bytes)
            output.records.append(OutgoingRecord(topic: Topics.receipts, key: receiptKey(receipt.connector, receipt.smscid), value: bytes))
        }
        // Providers that never report: the entry ends by a receipt of our own.
        let due = try DueEntries.next(connection)
        let expired = try DueEntries.expired(due, connection)
        let now = wallClockMilliseconds()
        for row in expired {
            var receipt = Receipt()
            receipt.connector = try row.text("connector")
            receipt.smscid = try row.text("smscid")
            receipt.status = .expired
            receipt.reasonText = "the provider sent no report in time"
            receipt.doneAt = now
            receipt.receivedAt = now
            output.records.append(
                OutgoingRecord(topic: Topics.receipts, key: receiptKey(receipt.connector, receipt.smscid), value: encode(receipt)))
        }
        if let orphanSeconds { try forget(connection, orphanSeconds) }
        try DueEntries.forgetClosed(due, connection)
        if !done.isEmpty || !due.isEmpty {
            output.afterCommit = {
                if !done.isEmpty {
                    try connection.execute("DELETE FROM early_receipt WHERE source = ANY($1::text[])", [.textArray(done)])
                }
                try DueEntries.settle(due, connection)
            }
        }
        return output
    }

    /// What waited in vain, and ids that were closed long ago.
    private static func forget(_ connection: Connection, _ orphanSeconds: Int) throws {
        // Receipts that nothing was ever submitted for are kept for people. One that repeats what closed an entry some time ago says
        // nothing new: it waited too, for the id might have been used again, and is counted only.
        let told = try connection.query(
            """
            WITH gone AS (DELETE FROM early_receipt e WHERE e.received < now() - make_interval(secs => $1::int)
                AND NOT EXISTS (SELECT FROM unnest(e.match_key || e.other_keys) AS k(key)
                    CROSS JOIN LATERAL (SELECT closed_by FROM open_dlr WHERE connector = e.connector AND match_key = k.key OFFSET 0) AS o
                    WHERE o.closed_by IS NULL)
                RETURNING connector, smscid, source, record, received, match_key, other_keys),
            sorted AS (
                SELECT g.*, EXISTS (SELECT FROM closed_dlr WHERE key = ANY(ARRAY(
                    SELECT signalbox_receipt_key(g.connector, k.key) FROM unnest(g.match_key || g.other_keys) AS k(key)))) AS repeated
                FROM gone g),
            kept AS (
                INSERT INTO orphan_receipt (connector, smscid, source, record, received, note)
                SELECT connector, smscid, source, record, received, 'nothing was submitted under this id' FROM sorted WHERE NOT repeated
                ON CONFLICT DO NOTHING)
            SELECT count(*) FILTER (WHERE repeated), count(*) FILTER (WHERE NOT repeated) FROM sorted
            """, [.int(orphanSeconds)])
        MatcherMetrics.repeated.add(Int(try told[0].int(0)))
        MatcherMetrics.orphans.add(Int(try told[0].int(1)))
        // A receipt that comes within ORPHANTIME after its entry is gone is looked at ORPHANTIME later.
        _ = try connection.execute(
            """
            DELETE FROM closed_dlr WHERE key = ANY(ARRAY(
                SELECT key FROM closed_dlr WHERE at < now() - make_interval(secs => 2 * $1::int + 60) ORDER BY at LIMIT 20000))
            """, [.int(orphanSeconds)])
    }
}
