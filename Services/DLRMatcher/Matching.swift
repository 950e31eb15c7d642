import Database
import Message
import ServiceKit
import SwiftProtobuf

/// One batch against the open entries. All statements are per batch, none per message.
enum Matching {
    struct Result {
        var reports: [MatchedReport] = []
        /// Sources of early receipts that found their entry.
        var usedEarly: [String] = []
    }

    static func run(_ connection: Connection, opened: [OpenEntry], receipts: [MatchReceipt], now: Int64) throws -> Result {
        var result = Result()
        var receipts = receipts
        if !opened.isEmpty {
            try insert(opened, connection)
            let early = try earlyReceipts(for: opened, connection)
            result.usedEarly = early.map(\.source)
            receipts += early
        }
        guard !receipts.isEmpty else { return result }
        var entries = try StoredEntry.locked(for: Set(receipts.map(\.key)), connection)
        let known = Dictionary(grouping: entries.indices, by: { entries[$0].key })
        var sequence = try nextSequence(count: receipts.count, connection)
        var touched: Set<Int64> = []
        var changed: [Int] = []
        var unmatched: [MatchReceipt] = []
        for receipt in receipts {
            let candidates = known[receipt.key] ?? []
            if let again = candidates.first(where: { entries[$0].closedBy == receipt.source }) {
                touched.insert(entries[again].msgid)  // a replay: say the same again
                continue
            }
            // The newest first: providers use their ids again after some time.
            guard let open = candidates.filter({ entries[$0].closedBy == nil }).max(by: { entries[$0].msgid < entries[$1].msgid }) else {
                if candidates.isEmpty, !result.usedEarly.contains(receipt.source) { unmatched.append(receipt) }
                continue  // closed by another receipt: this one is a provider's duplicate
            }
            guard receipt.receipt.status.isFinal else {
                if let buffered = entries[open].report(of: receipt.receipt) { result.reports.append(buffered) }
                continue
            }
            entries[open].close(by: receipt, sequence: sequence)
            sequence += 1
            changed.append(open)
            touched.insert(entries[open].msgid)
        }
        if !changed.isEmpty { try StoredEntry.write(changed.map { entries[$0] }, connection) }
        if !unmatched.isEmpty { try park(unmatched, connection) }
        result.reports += finished(entries, touched: touched, sources: Set(receipts.map(\.source)))
        return result
    }

    /// Messages whose every part is closed, the last of them by a record of this batch.
    private static func finished(_ entries: [StoredEntry], touched: Set<Int64>, sources: Set<String>) -> [MatchedReport] {
        var reports: [MatchedReport] = []
        for (msgid, parts) in Dictionary(grouping: entries, by: \.msgid) where touched.contains(msgid) {
            guard let first = parts.first, parts.count >= first.parts, parts.allSatisfy({ $0.closedBy != nil }) else { continue }
            guard let last = parts.max(by: { $0.closedSequence < $1.closedSequence }), let by = last.closedBy, sources.contains(by) else {
                continue  // it was told when its last part was closed
            }
            // One part that failed makes the whole message unreadable: the worst end is the message's.
            let worst = parts.max { severity($0.status) < severity($1.status) } ?? last
            if let report = worst.finalReport(at: last) { reports.append(report) }
        }
        return reports.sorted { $0.message.msgid < $1.message.msgid }
    }

    private static func severity(_ status: Status) -> Int {
        switch status {
        case .delivered: 0
        case .relayed: 1
        case .unknown: 2
        default: 3
        }
    }

    private static func insert(_ opened: [OpenEntry], _ connection: Connection) throws {
        _ = try connection.execute(
            """
            INSERT INTO open_dlr (connector, smscid, msgid, part, parts, record, created, expires)
            SELECT c, s, m, p, n, r, now(), to_timestamp(e / 1000.0)
            FROM unnest($1::text[], $2::text[], $3::bigint[], $4::int[], $5::int[], $6::bytea[], $7::bigint[]) AS t(c, s, m, p, n, r, e)
            ON CONFLICT DO NOTHING
            """,
            [
                .textArray(opened.map(\.connector)), .textArray(opened.map(\.smscid)), .intArray(opened.map(\.msgid)),
                .intArray(opened.map(\.part)), .intArray(opened.map(\.parts)), .bytesArray(opened.map(\.record)),
                .intArray(opened.map(\.expires)),
            ])
    }

    private static func earlyReceipts(for opened: [OpenEntry], _ connection: Connection) throws -> [MatchReceipt] {
        let rows = try connection.query(
            """
            SELECT e.source, e.record FROM early_receipt e
            JOIN unnest($1::text[], $2::text[]) AS k(connector, smscid) ON e.connector = k.connector AND e.smscid = k.smscid
            ORDER BY e.received
            """, [.textArray(opened.map(\.connector)), .textArray(opened.map(\.smscid))])
        return try rows.map { row in
            let bytes = try row.bytes("record")
            return MatchReceipt(receipt: try Receipt(serializedBytes: bytes), source: try row.text("source"), bytes: bytes)
        }
    }

    /// Keeps receipts that came before their submission was known here.
    private static func park(_ receipts: [MatchReceipt], _ connection: Connection) throws {
        _ = try connection.execute(
            """
            INSERT INTO early_receipt (connector, smscid, source, record, received)
            SELECT c, s, q, r, now() FROM unnest($1::text[], $2::text[], $3::text[], $4::bytea[]) AS t(c, s, q, r)
            ON CONFLICT DO NOTHING
            """,
            [
                .textArray(receipts.map(\.receipt.connector)), .textArray(receipts.map(\.receipt.smscid)),
                .textArray(receipts.map(\.source)),
                .bytesArray(receipts.map(\.bytes)),
            ])
    }

    /// The first of `count` numbers that rise with every closing, over all instances.
    private static func nextSequence(count: Int, _ connection: Connection) throws -> Int64 {
        let rows = try connection.query(
            "SELECT min(n) AS first FROM (SELECT nextval('open_dlr_closing') AS n FROM generate_series(1, $1::int)) AS s", [.int(count)])
        return try rows.first?.int("first") ?? 0
    }
}
