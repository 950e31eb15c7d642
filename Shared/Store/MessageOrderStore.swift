public import Database

/// What the sender of a scheduled message ordered before its time came (`message_order`).
public struct MessageOrder: Sendable, Equatable {
    public enum Kind: String, Sendable { case cancel, replace }

    public var kind: Kind
    /// A serialized `ShortMessage` with what replaces the original's; empty for a cancellation.
    public var record: [UInt8]
    /// The log has the message's end already.
    public var hasEnded: Bool

    public init(kind: Kind, record: [UInt8], hasEnded: Bool) {
        self.kind = kind
        self.record = record
        self.hasEnded = hasEnded
    }
}

/// A message as its sender may ask about it.
public struct OwnMessage: Sendable, Equatable {
    public var msgid: Int64
    public var status: Int64
    public var reason: Int64
    public var source: String
    public var destination: String
    public var inConnector: String
    /// Milliseconds since 1970; nil where it has not come to that.
    public var acceptedAt: Int64?
    public var endedAt: Int64?
    /// Its scheduled time, that of an order counted; nil for one that was not scheduled.
    public var due: Int64?
    /// `ReportRequest` by its number.
    public var reportRequest: Int64
    /// SMPP's data_coding.
    public var dataCoding: Int64
    public var order: MessageOrder.Kind?

    public init(
        msgid: Int64, status: Int64, reason: Int64, source: String, destination: String, inConnector: String, acceptedAt: Int64?,
        endedAt: Int64?, due: Int64?, reportRequest: Int64, dataCoding: Int64, order: MessageOrder.Kind?
    ) {
        self.msgid = msgid
        self.status = status
        self.reason = reason
        self.source = source
        self.destination = destination
        self.inConnector = inConnector
        self.acceptedAt = acceptedAt
        self.endedAt = endedAt
        self.due = due
        self.reportRequest = reportRequest
        self.dataCoding = dataCoding
        self.order = order
    }
}

public enum MessageOrderStore {
    /// Messages of one's own by id: another account's are not found.
    /// - Parameter wanted: pairs of id and account.
    public static func find(_ connection: Connection, _ wanted: [(msgid: Int64, account: String)]) throws(DatabaseError) -> [OwnMessage] {
        var found: [OwnMessage] = []
        for row in try connection.query(
            """
            SELECT r.msgid, COALESCE(r.status, 0) AS status, COALESCE(r.reason, 0) AS reason, COALESCE(r.sourceaddr, '') AS source,
                COALESCE(r.destaddr, '') AS destination, COALESCE(r.inconnector, '') AS inconnector,
                r.startsecs * 1000 + COALESCE(r.startmsecs, 0) AS accepted, r.endsecs * 1000 + COALESCE(r.endmsecs, 0) AS ended,
                COALESCE(o.due, (SELECT optionvalue::bigint FROM messageoption p WHERE p.msgid = r.msgid AND p.optionname = 'DELTIME'))
                    AS due,
                COALESCE((SELECT optionvalue::bigint FROM messageoption p WHERE p.msgid = r.msgid AND p.optionname = 'DLR'), 0) AS dlr,
                COALESCE((SELECT optionvalue::bigint FROM messageoption p WHERE p.msgid = r.msgid AND p.optionname = 'DCS'), 0) AS dcs,
                COALESCE(o.kind, (SELECT q.kind FROM queue_order q WHERE q.msgid = r.msgid AND q.state IN ('granted', 'ended')
                    ORDER BY q.kind LIMIT 1)) AS kind
            FROM unnest($1::bigint[], $2::text[]) AS w(id, account)
            CROSS JOIN LATERAL (SELECT * FROM routelog WHERE msgid = w.id AND username = w.account AND msgtype = 1 OFFSET 0) AS r
            LEFT JOIN LATERAL (SELECT due, kind FROM message_order WHERE msgid = w.id OFFSET 0) AS o ON true
            """, [.intArray(wanted.map(\.msgid)), .textArray(wanted.map(\.account))])
        {
            found.append(
                OwnMessage(
                    msgid: try row.int("msgid"), status: try row.int("status"), reason: try row.int("reason"),
                    source: try row.text("source"),
                    destination: try row.text("destination"), inConnector: try row.text("inconnector"),
                    acceptedAt: try row.optionalInt("accepted"), endedAt: try row.optionalInt("ended"), due: try row.optionalInt("due"),
                    reportRequest: try row.int("dlr"), dataCoding: try row.int("dcs"),
                    order: try row.optionalText("kind").flatMap { MessageOrder.Kind(rawValue: $0) }))
        }
        return found
    }

    /// Messages of one's own between two addresses that no provider has taken, by the log: the oldest first.
    ///
    /// By the log's index of recipients, so it reads some hundredths of the log and not all of it.
    /// - Parameters:
    ///   - source: nil = any.
    ///   - serviceType: empty = any. An account whose options are not logged has none.
    ///   - after: only messages with greater ids.
    public static func waiting(
        _ connection: Connection, account: String, source: String?, destination: String, serviceType: String, after: Int64, limit: Int
    ) throws(DatabaseError) -> [Int64] {
        // Apart, so that the planner does not read the log by ids in the hope of soon finding enough.
        let rows = try connection.query(
            """
            WITH found AS MATERIALIZED (
                SELECT r.msgid FROM routelog r
                WHERE r.destaddr = $2 AND r.username = $1 AND r.msgtype = 1 AND COALESCE(r.status, 0) < 4
                    AND ($3::text IS NULL OR r.sourceaddr = $3))
            SELECT msgid FROM found f
            WHERE msgid > $5 AND ($4::text = '' OR EXISTS (
                SELECT FROM messageoption p WHERE p.msgid = f.msgid AND p.optionname = 'SERVICETYPE' AND p.optionvalue = $4))
            ORDER BY msgid LIMIT $6
            """,
            [.text(account), .text(destination), .optional(source), .text(serviceType), .int(after), .int(limit)])
        return try rows.map { row throws(DatabaseError) in try row.int(0) }
    }

    /// - Parameter due: when the message fires, in milliseconds since 1970.
    /// - Returns: false where it was cancelled already.
    public static func write(
        _ connection: Connection, msgid: Int64, account: String, kind: MessageOrder.Kind, due: Int64, record: [UInt8]
    ) throws(DatabaseError) -> Bool {
        try connection.execute(
            """
            INSERT INTO message_order AS o (msgid, username, kind, due, record) VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (msgid) DO UPDATE SET kind = EXCLUDED.kind, due = EXCLUDED.due, record = EXCLUDED.record, at = now()
            WHERE o.kind <> 'cancel'
            """, [.int(msgid), .text(account), .text(kind.rawValue), .int(due), .bytes(record)]) == 1
    }

    /// The log shows what will be sent; of an account whose texts are not kept in the clear, that there was another text.
    public static func replaceBody(
        _ connection: Connection, msgid: Int64, body: String, udh: String?, parts: Int
    ) throws(DatabaseError) {
        try connection.execute(
            """
            UPDATE messagebody b SET body = CASE WHEN c.clear THEN $2 END, udh = CASE WHEN c.clear THEN $3 END, keyid = NULL, sealed = NULL
            FROM (
                SELECT NOT EXISTS (
                    SELECT FROM routelog r JOIN emguser u USING (username) WHERE r.msgid = $1 AND u.logbody <> 'plain') AS clear
            ) c
            WHERE b.msgid = $1
            """, [.int(msgid), .text(body), .optional(udh)])
        try connection.execute(
            "UPDATE routelog SET npdus = $2, note = 'replaced by its sender' WHERE msgid = $1", [.int(msgid), .int(parts)])
    }

    /// The orders for messages whose time has come.
    public static func orders(_ connection: Connection, for ids: [Int64]) throws(DatabaseError) -> [Int64: MessageOrder] {
        guard !ids.isEmpty else { return [:] }
        var orders: [Int64: MessageOrder] = [:]
        for row in try connection.query(
            """
            SELECT o.msgid, o.kind, o.record, COALESCE(r.status, 0) >= 10 FROM message_order o
            LEFT JOIN routelog r ON r.msgid = o.msgid AND r.msgid = ANY($1::bigint[]) WHERE o.msgid = ANY($1::bigint[])
            """, [.intArray(ids.map { $0 })])
        {
            guard let kind = MessageOrder.Kind(rawValue: try row.text(1)) else { continue }
            orders[try row.int(0)] = MessageOrder(kind: kind, record: try row.optionalBytes(2) ?? [], hasEnded: try row.bool(3))
        }
        return orders
    }

    /// Removes orders that were due more than a day ago: their messages have fired.
    public static func removeOld(_ connection: Connection, nowMilliseconds: Int64) throws(DatabaseError) {
        try connection.execute("DELETE FROM message_order WHERE due < $1", [.int(nowMilliseconds - 86_400_000)])
    }
}
