public import Database

/// What a sender ordered of a message that is on its way to a provider (`queue_order`).
public struct QueueOrder: Sendable, Equatable {
    public enum State: String, Sendable {
        /// The message is not to be sent before it is decided.
        case asked
        /// It stands: a cancelled message is never sent, a replaced one with its new text only.
        case granted
        /// It came too late.
        case refused
        /// It stood, and the message has come to its end.
        case ended
    }

    public var id: Int64
    /// Rises with each change of any order.
    public var changed: Int64
    public var msgid: Int64
    public var kind: MessageOrder.Kind
    public var state: State
    /// A serialized `ShortMessage` with what replaces the original's; empty for a cancellation.
    public var record: [UInt8]

    public init(id: Int64, changed: Int64, msgid: Int64, kind: MessageOrder.Kind, state: State, record: [UInt8] = []) {
        self.id = id
        self.changed = changed
        self.msgid = msgid
        self.kind = kind
        self.state = state
        self.record = record
    }
}

/// Orders between those who take them (the ingress) and those who own the queues (the egress).
///
/// An order is *asked*; every owner then holds the message back should it have it, and says so, or that it is too late; once all
/// have read it, whoever took the order decides. All statements are per batch of orders, none per message.
public enum QueueOrderStore {
    /// Orders that may stand at a time, for each owner keeps them in memory.
    public static let maxStanding = 50_000
    /// Writers take turns, so that `changed` becomes visible in its order and no reader passes over a row.
    private static let lock: Int64 = 0x5147_4f52_4445_5200

    private static func takeTurn(_ connection: Connection) throws(DatabaseError) {
        try connection.query("SELECT pg_advisory_xact_lock($1)", [.int(lock)])
    }

    // MARK: Whoever takes orders

    /// Asks. To be called within a transaction.
    /// - Returns: the order's id; nil where another order for the message is being decided, or too many stand.
    public static func ask(
        _ connection: Connection, msgid: Int64, account: String, kind: MessageOrder.Kind, record: [UInt8]
    ) throws(DatabaseError) -> Int64? {
        try takeTurn(connection)
        return try connection.query(
            """
            INSERT INTO queue_order (id, changed, msgid, username, kind, record)
            SELECT n, n, $1::bigint, $2::text, $3::text, $4::bytea FROM nextval('queue_order_change') AS n
            WHERE NOT EXISTS (SELECT FROM queue_order WHERE msgid = $1 AND state = 'asked')
                AND (SELECT count(*) FROM queue_order WHERE state IN ('asked', 'granted')) < \(maxStanding)
            RETURNING id
            """, [.int(msgid), .text(account), .text(kind.rawValue), .bytes(record)]
        ).first.map { row throws(DatabaseError) in try row.int(0) }
    }

    /// An order that was asked, as the owners of the queues see it.
    public struct Standing: Sendable, Equatable {
        public var state: QueueOrder.State
        /// A provider may have the message.
        public var isLate: Bool
        /// An owner has it, unsent, and holds it back.
        public var isHeld: Bool

        public init(state: QueueOrder.State, isLate: Bool, isHeld: Bool) {
            self.state = state
            self.isLate = isLate
            self.isHeld = isHeld
        }
    }

    public static func standings(_ connection: Connection, of ids: [Int64]) throws(DatabaseError) -> [Int64: Standing] {
        var standings: [Int64: Standing] = [:]
        for row in try connection.query(
            "SELECT id, state, late, held FROM queue_order WHERE id = ANY($1::bigint[])", [.intArray(ids.map { $0 })])
        {
            guard let state = QueueOrder.State(rawValue: try row.text(1)) else { continue }
            standings[try row.int(0)] = Standing(state: state, isLate: try row.bool(2), isHeld: try row.bool(3))
        }
        return standings
    }

    /// Up to which change every owner follows the orders; nil where there is none. One that was silent for a minute counts no more.
    public static func slowestReader(_ connection: Connection) throws(DatabaseError) -> Int64? {
        try connection.query("SELECT min(seen) FROM queue_order_reader WHERE beat > now() - interval '60 seconds'").first?.optionalInt(0)
    }

    /// Those of the messages that may go to anything but a provider over SMPP or HTTP: their owners follow no orders.
    public static func leavingElsewhere(_ connection: Connection, _ msgids: [Int64]) throws(DatabaseError) -> Set<Int64> {
        var found: Set<Int64> = []
        for row in try connection.query(
            """
            SELECT w.id FROM unnest($1::bigint[]) AS w(id) JOIN routelog r ON r.msgid = w.id
            WHERE r.msgid = ANY($1::bigint[]) AND EXISTS (
                SELECT FROM (
                    SELECT account, in_connector, out_connector FROM route WHERE NOT disabled
                    UNION ALL SELECT username, NULL, route FROM emguser WHERE route <> ''
                    UNION ALL SELECT NULL, connector, value FROM connector_option WHERE key IN ('ROUTE', 'REDIRECT') AND value <> ''
                ) AS way (account, in_connector, out_connector)
                LEFT JOIN config_section_option g ON g.kind = 'CONNECTORGROUP' AND g.name = way.out_connector AND g.key = 'CONNECTOR'
                LEFT JOIN connector c ON c.name = COALESCE(split_part(g.value, ':', 1), way.out_connector)
                WHERE (way.account IS NULL OR way.account = r.username) AND (way.in_connector IS NULL OR way.in_connector = r.inconnector)
                    AND (c.name IS NULL OR c.type <> 'OUTGOING' OR c.protocol NOT IN ('SMPP', 'HTTP')))
            """, [.intArray(msgids.map { $0 })])
        {
            found.insert(try row.int(0))
        }
        return found
    }

    /// Decides, once: what has been decided by somebody else stays so. To be called within a transaction.
    /// - Returns: those of `grant` that stand now.
    public static func decide(_ connection: Connection, grant: [Int64], refuse: [Int64]) throws(DatabaseError) -> Set<Int64> {
        guard !grant.isEmpty || !refuse.isEmpty else { return [] }
        try takeTurn(connection)
        try connection.execute(
            """
            UPDATE queue_order SET state = 'refused', changed = nextval('queue_order_change')
            WHERE state = 'asked' AND id = ANY($1::bigint[])
            """, [.intArray(refuse.map { $0 })])
        var granted: Set<Int64> = []
        for row in try connection.query(
            """
            UPDATE queue_order SET state = 'granted', changed = nextval('queue_order_change')
            WHERE state = 'asked' AND NOT late AND id = ANY($1::bigint[]) RETURNING id
            """, [.intArray(grant.map { $0 })])
        {
            granted.insert(try row.int(0))
        }
        return granted
    }

    // MARK: Owners of queues

    /// Says that `instance` is there and follows every order up to the newest.
    /// - Returns: the orders that stand or are to be decided, oldest first, and the change up to which they are known.
    public static func register(_ connection: Connection, instance: String) throws -> (orders: [QueueOrder], seen: Int64) {
        try connection.transaction {
            try takeTurn(connection)
            let orders = try orders(
                try connection.query(
                    """
                    SELECT id, changed, msgid, kind, state, record FROM queue_order
                    WHERE state IN ('asked', 'granted') ORDER BY changed
                    """))
            let seen = try connection.query("SELECT COALESCE(max(changed), 0) FROM queue_order").first?.int(0) ?? 0
            try report(connection, instance: instance, seen: seen, late: [], held: [])
            return (orders, seen)
        }
    }

    /// Changes after `seen`, oldest first.
    public static func news(_ connection: Connection, after seen: Int64, limit: Int) throws(DatabaseError) -> [QueueOrder] {
        try orders(
            try connection.query(
                "SELECT id, changed, msgid, kind, state, record FROM queue_order WHERE changed > $1 ORDER BY changed LIMIT $2",
                [.int(seen), .int(limit)]))
    }

    private static func orders(_ rows: Rows) throws(DatabaseError) -> [QueueOrder] {
        var orders: [QueueOrder] = []
        for row in rows {
            guard let kind = MessageOrder.Kind(rawValue: try row.text(3)), let state = QueueOrder.State(rawValue: try row.text(4)) else {
                continue
            }
            orders.append(
                QueueOrder(
                    id: try row.int(0), changed: try row.int(1), msgid: try row.int(2), kind: kind, state: state,
                    record: try row.optionalBytes(5) ?? []))
        }
        return orders
    }

    /// What an owner knows. The votes and the change up to which it has voted become visible together: call it within a transaction
    /// where there are votes.
    public static func report(
        _ connection: Connection, instance: String, seen: Int64, late: [Int64], held: [Int64]
    ) throws(DatabaseError) {
        if !late.isEmpty || !held.isEmpty {
            try connection.execute(
                """
                UPDATE queue_order SET late = late OR id = ANY($1::bigint[]), held = held OR id = ANY($2::bigint[])
                WHERE state = 'asked' AND id = ANY($1::bigint[] || $2::bigint[])
                """, [.intArray(late.map { $0 }), .intArray(held.map { $0 })])
        }
        try connection.execute(
            """
            INSERT INTO queue_order_reader (instance, seen) VALUES ($1, $2)
            ON CONFLICT (instance) DO UPDATE SET seen = EXCLUDED.seen, beat = now()
            """, [.text(instance), .int(seen)])
    }

    /// It owns no queue any more.
    public static func leave(_ connection: Connection, instance: String) throws(DatabaseError) {
        try connection.execute("DELETE FROM queue_order_reader WHERE instance = $1", [.text(instance)])
    }

    /// Refuses what nobody decided within twenty seconds: whoever took the order is no more, and its sender was told nothing.
    public static func refuseForgotten(_ connection: Connection) throws {
        try connection.transaction {
            try takeTurn(connection)
            try connection.execute(
                """
                UPDATE queue_order SET state = 'refused', changed = nextval('queue_order_change')
                WHERE state = 'asked' AND at < now() - interval '20 seconds'
                """)
        }
    }

    /// Ends orders whose messages have ended, or were taken by a provider, by the log: so it is recorded on the bus too, and the
    /// message never comes out of a queue again. And those that are older than what a queue keeps.
    public static func tidy(_ connection: Connection) throws {
        try connection.transaction {
            try takeTurn(connection)
            try connection.execute(
                """
                UPDATE queue_order o SET state = 'ended', changed = nextval('queue_order_change')
                WHERE o.state = 'granted' AND (o.at < now() - interval '15 days'
                    OR EXISTS (SELECT FROM routelog r WHERE r.msgid = o.msgid AND r.status >= 4))
                """)
            try connection.execute(
                "DELETE FROM queue_order WHERE state IN ('refused', 'ended') AND at < now() - interval '1 day' AND changed < "
                    + "(SELECT COALESCE(min(seen), 0) FROM queue_order_reader)")
            try connection.execute("DELETE FROM queue_order_reader WHERE beat < now() - interval '1 day'")
        }
    }
}
