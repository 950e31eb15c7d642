public import Database

/// How long the message log is kept: whole days of `routelog`, `messageoptions` and `messagebody` are dropped with their partitions.
/// Summaries stay for ever, and so does the ledger.
public enum LogRetention {
    /// LOGRETENTION in days; nil = for ever.
    public static func days(_ connection: Connection) throws(DatabaseError) -> Int? {
        guard let days = (try ConnectorStore.general(connection, "LOGRETENTION")).flatMap({ Int($0) }), days > 0 else { return nil }
        return days
    }

    /// Drops the days (UTC) before the last `days` that are over; today is kept beside them. What of those days waits in a default
    /// partition goes too. The hours that are still due are summed up before.
    ///
    /// Each day is a transaction of its own, and gives up after five seconds rather than stand in the way of the log's writers.
    /// - Parameter now: milliseconds since 1970.
    /// - Returns: the partitions that were dropped.
    @discardableResult
    public static func apply(_ connection: Connection, days: Int, now: Int64) throws -> [String] {
        let end = now / 86_400_000 - Int64(max(1, days))
        var dropped: [String] = []
        var names: [(day: Int64, name: String)] = []
        for row in try connection.query(
            """
            SELECT to_date(right(c.relname, 8), 'YYYYMMDD') - date '1970-01-01' AS day, c.relname
            FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
            WHERE i.inhparent IN ('routelog'::regclass, 'messageoptions'::regclass, 'messagebody'::regclass)
                AND c.relname ~ '^(routelog|messageoptions|messagebody)_[0-9]{8}$'
            ORDER BY 1, 2
            """)
        {
            let day = try row.int(0)
            if day < end { names.append((day, try row.text(1))) }
        }
        for day in Set(names.map(\.day)).sorted() {
            let tables = names.filter { $0.day == day }.map(\.name)
            try advance(connection, to: day + 1, dropping: tables)
            dropped += tables
        }
        let horizon = try connection.query("SELECT first_hour FROM log_horizon")[0].int(0)
        if horizon < end * 24 { try advance(connection, to: end, dropping: []) }
        return dropped
    }

    /// - Parameters:
    ///   - day: in days since 1970: the first that is kept.
    ///   - tables: named by our own pattern.
    private static func advance(_ connection: Connection, to day: Int64, dropping tables: [String]) throws {
        try connection.transaction {
            // In the order of `signalbox_ensure_partitions`, which takes this one before it locks the tables.
            _ = try connection.query("SELECT pg_advisory_xact_lock(1397180238, 1)")
            try SummaryStore.lock(connection)
            try connection.script("SET LOCAL lock_timeout = '5s'; LOCK TABLE ONLY routelog IN ACCESS EXCLUSIVE MODE")
            try SummaryStore.sumUpAll(connection, before: day * 24)
            for table in tables { try connection.script("DROP TABLE \(table)") }
            for parent in ["routelog", "messageoptions", "messagebody"] {
                try connection.execute(
                    "DELETE FROM \(parent)_default WHERE msgid < signalbox_msgid_floor(to_timestamp($1::bigint * 86400))", [.int(day)])
            }
            try connection.execute(
                """
                UPDATE log_horizon SET first_hour = GREATEST(first_hour, $1::bigint * 24),
                    first_msgid = GREATEST(first_msgid, signalbox_msgid_floor(to_timestamp($1::bigint * 86400)))
                """, [.int(day)])
        }
    }
}
