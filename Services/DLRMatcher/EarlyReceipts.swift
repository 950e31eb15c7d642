import Bus
import Database
import Message
import ServiceKit
import SwiftProtobuf

/// Receipts that came before their submission was known here.
enum EarlyReceipts {
    static func load(for opened: [OpenEntry], _ rules: ReportRules, _ connection: Connection) throws -> [MatchReceipt] {
        var keys: Set<ReceiptKey> = []
        for entry in opened {
            keys.insert(ReceiptKey(connector: entry.connector, key: entry.key))
            for other in ProviderID.others(entry.smscid, fromReceipt: false, notation: rules.notation(entry.connector)) {
                keys.insert(ReceiptKey(connector: entry.connector, key: other))
            }
        }
        let ordered = Array(keys)
        let rows = try connection.query(
            """
            SELECT e.source, e.record FROM unnest($1::text[], $2::text[]) AS k(connector, key)
            CROSS JOIN LATERAL (
                SELECT source, record, received FROM early_receipt WHERE connector = k.connector AND match_key = k.key OFFSET 0) AS e
            ORDER BY e.received, e.source
            """, [.textArray(ordered.map(\.connector)), .textArray(ordered.map(\.key))])
        return try rows.map { row in
            let bytes = try row.bytes("record")
            return MatchReceipt(receipt: try Receipt(serializedBytes: bytes), source: try row.text("source"), bytes: bytes, rules: rules)
        }
    }

    static func keep(_ receipts: [MatchReceipt], _ connection: Connection) throws {
        _ = try connection.execute(
            """
            INSERT INTO early_receipt (connector, smscid, match_key, other_keys, source, record, received)
            SELECT c, s, k, string_to_array(o, ','), q, r, now()
            FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bytea[]) AS t(c, s, k, o, q, r)
            ON CONFLICT DO NOTHING
            """,
            [
                .textArray(receipts.map(\.receipt.connector)), .textArray(receipts.map(\.receipt.smscid)),
                // Notations of numbers: no comma can stand in them.
                .textArray(receipts.map(\.key)), .textArray(receipts.map { $0.others.joined(separator: ",") }),
                .textArray(receipts.map(\.source)), .bytesArray(receipts.map(\.bytes)),
            ])
    }

    /// Where among the early receipts, in the order in which they came, the next look begins.
    struct Place {
        fileprivate var received = "-infinity"
        fileprivate var source = ""
    }

    /// Looks at the next ones that are older than two seconds, a bounded number of them; after the last comes the first again.
    ///
    /// A receipt whose entry was closed by another one stays, in case the id is used again, until it is an orphan.
    /// - Returns: source, record and `used`: false where its submission is there now and still open; true where it closed an entry more than
    ///   ten minutes ago. Not earlier: until its batch is committed it may be replayed, by whoever has the partition then, and finds its
    ///   report by it.
    static func look(from place: inout Place, _ connection: Connection) throws -> [Row] {
        // Each key is looked up by itself, in a subquery that names both columns of the index: written as a join, or with an array of
        // keys, it was planned while the tables were empty as all receipts times all entries, and took seconds under load.
        let rows = Array(
            try connection.query(
                """
                SELECT e.source, e.received::text AS received, e.record, (
                        SELECT bool_or((SELECT bool_or(o.closed_by IS NULL) FROM open_dlr o
                            WHERE o.connector = e.connector AND o.match_key = k.key))
                        FROM unnest(e.match_key || e.other_keys) AS k(key)) IS TRUE AS fits, (
                        e.received < now() - interval '10 minutes' AND (
                            SELECT bool_or((SELECT bool_or(o.closed_by = e.source) FROM open_dlr o
                                WHERE o.connector = e.connector AND o.match_key = k.key))
                            FROM unnest(e.match_key || e.other_keys) AS k(key))) IS TRUE AS used
                FROM (
                    SELECT * FROM early_receipt
                    WHERE received >= $1::timestamptz AND (received, source) > ($1::timestamptz, $2) AND received < now() - interval '2 seconds'
                    ORDER BY received, source LIMIT \(most)) e
                """, [.text(place.received), .text(place.source)]))
        place = Place()
        if rows.count == most, let last = rows.last { place = Place(received: try last.text("received"), source: try last.text("source")) }
        return try rows.filter { row in
            let (used, fits) = (try row.bool("used"), try row.bool("fits"))
            return used || fits
        }
    }

    private static let most = 2_000
}
