public import Database
public import Pricing

/// The log by hour and by month. What a reader gets always equals the log: hours that changed are summed up anew first.
public enum SummaryStore {
    public struct Hour: Sendable, Encodable {
        /// `2026-11-21 09`, UTC, as EMG writes it.
        public var time: String
        public var username: String
        /// Of the price row that was used; empty for the general price, and where there was none.
        public var prefix: String
        /// For one part: a price that changes within the hour makes a second row.
        public var charge: Money
        public var msgcount: Int64
        public var ok: Int64
        public var relayed: Int64
        public var failed: Int64
        public var npdus: Int64
        public var chargeSum: Money
        public var costSum: Money

        enum CodingKeys: String, CodingKey {
            case time, username, prefix, charge, msgcount, npdus
            case ok = "msg_count_ok"
            case relayed = "msg_count_relayed"
            case failed = "msg_count_failed"
            case chargeSum = "charge_sum"
            case costSum = "charge_cost_sum"
        }
    }

    public struct Month: Sendable, Encodable {
        public var month: String
        public var username: String
        public var count: Int64
        public var charge: Money
        public var cost: Money

        enum CodingKeys: String, CodingKey {
            case month, username, count, charge
            case cost = "charge_cost"
        }
    }

    /// Hours that are summed up in one transaction at most.
    private static let batch = 8

    /// Sums up the hours that changed, and rewrites the months that they belong to. Waits for another that is at it.
    /// - Returns: the number of hours.
    @discardableResult
    public static func refresh(_ connection: Connection) throws -> Int {
        var done = 0
        while true {
            let hours = try connection.transaction {
                try lock(connection)
                return try sumUp(connection, before: .max, limit: batch)
            }
            done += hours
            // Hours come anew while messages pass: those that were due when this began are done.
            if hours < batch { return done }
        }
    }

    /// A bounded step of the same, for a service that keeps the summaries fresh.
    /// - Returns: whether there may be more to do; false as well where another is at it.
    public static func refreshSome(_ connection: Connection) throws -> Bool {
        try connection.transaction {
            guard try connection.query("SELECT pg_try_advisory_xact_lock(1397180238, 2)")[0].bool(0) else { return false }
            return try sumUp(connection, before: .max, limit: batch) == batch
        }
    }

    /// Until the transaction's end nobody else writes summaries.
    static func lock(_ connection: Connection) throws(DatabaseError) {
        _ = try connection.query("SELECT pg_advisory_xact_lock(1397180238, 2)")
    }

    /// Every due hour before one, within the caller's transaction, which holds the lock.
    static func sumUpAll(_ connection: Connection, before hour: Int64) throws {
        while try sumUp(connection, before: hour, limit: batch) == batch {}
    }

    private static func sumUp(_ connection: Connection, before end: Int64, limit: Int) throws(DatabaseError) -> Int {
        // The rows of these are gone: what was summed up of them stays.
        try connection.execute("DELETE FROM summary_due WHERE hour < (SELECT first_hour FROM log_horizon)")
        var hours: [Int64] = []
        for row in try connection.query(
            "SELECT hour FROM summary_due WHERE hour < $1 ORDER BY hour LIMIT $2 FOR UPDATE", [.int(end), .int(limit)])
        {
            hours.append(try row.int(0))
        }
        guard !hours.isEmpty else { return 0 }
        let list: SQLValue = .intArray(hours.map { $0 })
        try connection.execute("DELETE FROM summary_due WHERE hour = ANY($1::bigint[])", [list])
        for hour in hours {
            try connection.execute(
                "DELETE FROM routelog_hourly WHERE hour = to_timestamp($1::bigint * 3600) AT TIME ZONE 'UTC'", [.int(hour)])
            try connection.execute(
                """
                INSERT INTO routelog_hourly (hour, username, prefix, charge, msgcount, msg_count_ok, msg_count_relayed, npdus, charge_sum,
                    charge_cost_sum)
                SELECT to_timestamp($1::bigint * 3600) AT TIME ZONE 'UTC', COALESCE(r.username, ''), COALESCE(p.prefix, ''),
                    COALESCE(r.charge / GREATEST(r.npdus, 1), 0)::numeric(18,6) AS unit, count(*),
                    count(*) FILTER (WHERE r.status = 11), count(*) FILTER (WHERE r.status IN (4, 5, 10)),
                    COALESCE(sum(r.npdus), 0), COALESCE(sum(r.charge), 0), COALESCE(sum(r.charge_cost), 0)
                FROM routelog r LEFT JOIN price p ON p.priceid = r.charge_price_id
                WHERE r.startsecs >= $1::bigint * 3600 AND r.startsecs < ($1::bigint + 1) * 3600 AND r.msgtype = 1
                    AND r.msgid >= signalbox_msgid_floor(to_timestamp($1::bigint * 3600 - 60))
                    AND r.msgid < signalbox_msgid_floor(to_timestamp(($1::bigint + 1) * 3600 + 60))
                    AND NOT EXISTS (SELECT FROM connector c WHERE c.name = r.inconnector AND c.type = 'OUTGOING')
                GROUP BY 2, 3, 4
                """, [.int(hour)])
        }
        for row in try connection.query(
            "SELECT DISTINCT to_char(to_timestamp(h * 3600) AT TIME ZONE 'UTC', 'YYYY-MM') FROM unnest($1::bigint[]) AS h", [list])
        {
            try rewriteMonth(connection, try row.text(0))
        }
        return hours.count
    }

    private static func rewriteMonth(_ connection: Connection, _ month: String) throws(DatabaseError) {
        try connection.execute("DELETE FROM monthlysummary WHERE month = $1", [.text(month)])
        try connection.execute(
            """
            INSERT INTO monthlysummary (month, userid, count, charge, charge_cost)
            SELECT $1, u.userid, sum(h.npdus), sum(h.charge_sum), sum(h.charge_cost_sum)
            FROM routelog_hourly h JOIN emguser u USING (username)
            WHERE h.hour >= to_date($1, 'YYYY-MM') AND h.hour < to_date($1, 'YYYY-MM') + interval '1 month'
            GROUP BY u.userid
            """, [.text(month)])
    }

    /// - Parameters: half open, in milliseconds since 1970, cut to whole hours.
    public static func hours(
        _ connection: Connection, from: Int64, until: Int64, username: String?
    ) throws(DatabaseError) -> [Hour] {
        var found: [Hour] = []
        for row in try connection.query(
            """
            SELECT to_char(hour, 'YYYY-MM-DD HH24'), username, prefix, charge, msgcount, msg_count_ok, msg_count_relayed, npdus, charge_sum,
                charge_cost_sum
            FROM routelog_hourly
            WHERE hour >= to_timestamp($1::bigint / 3600000 * 3600) AT TIME ZONE 'UTC'
                AND hour < to_timestamp(($2::bigint + 3599999) / 3600000 * 3600) AT TIME ZONE 'UTC'
                AND ($3::text IS NULL OR username = $3)
            ORDER BY hour, username, prefix, charge
            """, [.int(from), .int(until), .optional(username)])
        {
            let (count, ok, relayed) = (try row.int(4), try row.int(5), try row.int(6))
            found.append(
                Hour(
                    time: try row.text(0), username: try row.text(1), prefix: try row.text(2), charge: try row.money(3), msgcount: count,
                    ok: ok, relayed: relayed, failed: count - ok - relayed, npdus: try row.int(7), chargeSum: try row.money(8),
                    costSum: try row.money(9)))
        }
        return found
    }

    /// Writes EMG's `monthlysummary` anew for one month, and answers what is in it. The hours are refreshed first.
    /// - Parameter month: `2026-11`.
    public static func month(_ connection: Connection, _ month: String) throws -> [Month] {
        let parts = month.split(separator: "-")
        guard month.utf8.count == 7, parts.count == 2, let year = Int(parts[0]), let number = Int(parts[1]), year > 1_969,
            (1...12).contains(number)
        else { throw StoreError.invalid("a month is written as 2026-11") }
        try refresh(connection)
        return try connection.transaction {
            try lock(connection)
            try rewriteMonth(connection, month)
            return try connection.query(
                """
                SELECT m.month, u.username, m.count, m.charge, m.charge_cost FROM monthlysummary m JOIN emguser u USING (userid)
                WHERE m.month = $1 ORDER BY u.username
                """, [.text(month)]
            ).map {
                Month(month: try $0.text(0), username: try $0.text(1), count: try $0.int(2), charge: try $0.money(3), cost: try $0.money(4))
            }
        }
    }
}
