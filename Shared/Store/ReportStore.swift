public import Database
import Message
import SwiftProtobuf

/// Delivery reports that are awaited, and those that nobody awaits.
public enum ReportStore {
    /// A part of a message whose report has not come.
    public struct Open: Sendable, Encodable {
        public var msgid: String
        public var part: Int64
        public var parts: Int64
        public var connector: String
        public var smscid: String
        public var openedAt: Int64
        public var expiresAt: Int64?

        enum CodingKeys: String, CodingKey {
            case msgid, part, parts, connector, smscid
            case openedAt = "opened_ms"
            case expiresAt = "expires_ms"
        }
    }

    /// A receipt that names no message of ours.
    public struct Orphan: Sendable, Encodable {
        public var connector: String
        public var smscid: String
        /// The number that it speaks of.
        public var number: String
        public var status: String
        public var error: String
        public var receivedAt: Int64
        /// It came less than an hour ago, and its submission may still come.
        public var isWaiting: Bool
        public var note: String?

        enum CodingKeys: String, CodingKey {
            case connector, smscid, number, status, error, note
            case receivedAt = "received_ms"
            case isWaiting = "waiting"
        }
    }

    /// - Parameters:
    ///   - msgid: only this message's.
    ///   - smscid: only this id's, as the provider gave it.
    public static func open(
        _ connection: Connection, msgid: Int64? = nil, connector: String? = nil, smscid: String? = nil, limit: Int
    ) throws(DatabaseError) -> [Open] {
        var found: [Open] = []
        for row in try connection.query(
            """
            SELECT msgid, part, parts, connector, smscid, created, expires FROM open_dlr
            WHERE closed_by IS NULL AND ($1::bigint IS NULL OR msgid = $1) AND ($2::text IS NULL OR connector = $2)
                AND ($3::text IS NULL OR match_key = lower(ltrim($3, '0')))
            ORDER BY msgid, part LIMIT $4
            """, [.optional(msgid), .optional(connector), .optional(smscid), .int(limit)])
        {
            found.append(
                Open(
                    msgid: String(try row.int(0)), part: try row.int(1) + 1, parts: try row.int(2), connector: try row.text(3),
                    smscid: try row.text(4), openedAt: try row.milliseconds(5), expiresAt: try row.optionalMilliseconds(6)))
        }
        return found
    }

    /// The newest first. What repeats a receipt that closed its entry some time ago is left out.
    public static func orphans(_ connection: Connection, connector: String? = nil, limit: Int) throws -> [Orphan] {
        try connection.query(
            """
            SELECT connector, smscid, record, received, true AS waiting, NULL AS note FROM early_receipt e
                WHERE ($1::text IS NULL OR connector = $1) AND NOT EXISTS (
                    SELECT FROM unnest(e.match_key || e.other_keys) AS k(key)
                    JOIN closed_dlr c ON c.key = signalbox_receipt_key(e.connector, k.key))
            UNION ALL SELECT connector, smscid, record, received, false, note FROM orphan_receipt WHERE $1::text IS NULL OR connector = $1
            ORDER BY received DESC LIMIT $2
            """, [.optional(connector), .int(limit)]
        ).map { row in
            // What another version wrote is listed all the same.
            let receipt = (try? Receipt(serializedBytes: try row.bytes(2))) ?? Receipt()
            return Orphan(
                connector: try row.text(0), smscid: try row.text(1), number: receipt.source.number,
                status: LoggedMessage.statusName(Int64(receipt.status.rawValue)), error: receipt.error, receivedAt: try row.milliseconds(3),
                isWaiting: try row.bool(4), note: try row.optionalText(5))
        }
    }

    /// Forgets orphans that came before a moment (milliseconds since 1970).
    /// - Returns: how many there were.
    @discardableResult
    public static func clearOrphans(_ connection: Connection, before: Int64, by who: String) throws -> Int {
        try connection.transaction {
            let gone = try connection.execute(
                "DELETE FROM orphan_receipt WHERE received < to_timestamp($1::bigint / 1000.0)", [.int(before)])
            try Audit.write(connection, who: who, action: "dlr orphans clear", detail: "\(gone) receipts")
            return gone
        }
    }
}
