import Database
import ServiceKit

/// `open_dlr_due`: when which open entries are to be looked at again. A row for each batch instead of an index entry for each message.
///
/// Entries are looked up by message id in that id's order: to a planner who takes the table for empty, the primary key, of which the
/// id is the third column, is as good as the index of ids. In order it is not.
enum DueEntries {
    /// Looked at in one sweep: all that comes due between two sweeps at 10,000 messages a second, each once when it has been closed for
    /// an hour and once when it would have expired.
    private static let most = 40_000
    /// Expiries further away than this are kept by the minute, so that a batch has few rows of different ones.
    private static let fineSeconds: Int64 = 600

    /// - Parameter opened: what was opened in this transaction.
    static func opened(_ opened: [OpenEntry], now: Int64 = wallClockMilliseconds(), _ connection: Connection) throws(DatabaseError) {
        let byMoment = Dictionary(grouping: opened) { entry in
            // Rounded up: an entry is looked at when it has expired.
            let grain: Int64 = entry.expires - now > fineSeconds * 1_000 ? 60 : 1
            return (entry.expires / 1_000 / grain + 1) * grain
        }
        let moments = byMoment.sorted { $0.key < $1.key }
        try connection.execute(
            """
            INSERT INTO open_dlr_due (due, msgids)
            SELECT to_timestamp(d), string_to_array(l, ',')::bigint[] FROM unnest($1::bigint[], $2::text[]) AS t(d, l)
            """,
            [
                .intArray(moments.map(\.key)),
                .textArray(moments.map { $0.value.map { String($0.msgid) }.joined(separator: ",") }),
            ])
    }

    /// What was closed in this transaction is kept for an hour: for replays, and to know a provider's repetitions.
    static func closed(_ msgids: [Int64], _ connection: Connection) throws(DatabaseError) {
        try connection.execute(
            "INSERT INTO open_dlr_due (due, msgids) VALUES (now() + interval '1 hour', $1::bigint[])", [.intArray(msgids.map { $0 })])
    }

    /// The next rows that are due, by id.
    static func next(_ connection: Connection) throws(DatabaseError) -> [Int64] {
        try connection.query(
            """
            SELECT id FROM (
                SELECT id, sum(cardinality(msgids)) OVER (ORDER BY due, id) - cardinality(msgids) AS before
                FROM (SELECT id, due, msgids FROM open_dlr_due WHERE due < now() ORDER BY due, id LIMIT 400) AS d
            ) AS n WHERE before < \(most)
            """
        ).map { row throws(DatabaseError) in try row.int(0) }
    }

    /// Connector and id of what the provider has sent no report of in time.
    static func expired(_ due: [Int64], _ connection: Connection) throws(DatabaseError) -> Rows {
        try connection.query(
            """
            SELECT connector, smscid FROM open_dlr
            WHERE msgid = ANY(ARRAY(SELECT unnest(msgids) FROM open_dlr_due WHERE id = ANY($1::bigint[])))
                AND closed_by IS NULL AND expires < now()
            ORDER BY msgid
            """, [.intArray(due.map { $0 })])
    }

    /// Their ids are remembered a while longer (`closed_dlr`), for receipts that repeat them.
    static func forgetClosed(_ due: [Int64], _ connection: Connection) throws(DatabaseError) {
        guard !due.isEmpty else { return }
        try connection.execute(
            """
            WITH gone AS (
                DELETE FROM open_dlr WHERE ctid = ANY(ARRAY(
                    SELECT ctid FROM open_dlr
                    WHERE msgid = ANY(ARRAY(SELECT unnest(msgids) FROM open_dlr_due WHERE id = ANY($1::bigint[])))
                        AND closed_at < now() - interval '1 hour'
                    ORDER BY msgid))
                RETURNING connector, match_key)
            INSERT INTO closed_dlr (key) SELECT DISTINCT signalbox_receipt_key(connector, match_key) FROM gone
            ON CONFLICT (key) DO UPDATE SET at = EXCLUDED.at
            """, [.intArray(due.map { $0 })])
    }

    /// Only once the receipts of what expired are written: until then a crash looks at the same rows again. What those receipts are to
    /// close is looked at again a minute later, and for as long as something of it is open.
    static func settle(_ due: [Int64], _ connection: Connection) throws(DatabaseError) {
        guard !due.isEmpty else { return }
        try connection.execute(
            """
            UPDATE open_dlr_due d SET due = now() + interval '1 minute'
            WHERE id = ANY($1::bigint[]) AND EXISTS (
                SELECT FROM open_dlr WHERE msgid = ANY(d.msgids) AND closed_by IS NULL AND expires < now() ORDER BY msgid OFFSET 0)
            """, [.intArray(due.map { $0 })])
        try connection.execute("DELETE FROM open_dlr_due WHERE id = ANY($1::bigint[]) AND due < now()", [.intArray(due.map { $0 })])
    }
}
