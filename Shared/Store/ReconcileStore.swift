public import Database
public import Pricing

/// Whether balances, ledger and message log agree, to the last digit. All of it is read from one snapshot of the database.
public enum ReconcileStore {
    /// How long the log may take to write a message down; younger ones are under way.
    private static let logDelayMilliseconds: Int64 = 60_000
    /// A reservation without a message is given back by billing after ten minutes; until then, and a little longer, it is under way.
    private static let reservationMilliseconds: Int64 = 900_000

    public struct AccountLine: Sendable, Encodable, Equatable {
        public var username: String
        /// `charges` or `credits`.
        public var mechanism: String
        public var balance: Money
        /// Sum of the account's ledger rows.
        public var ledger: Money
        /// What messages cost by the ledger, and by the log.
        public var chargedByLedger: Money
        public var chargedByLog: Money
        /// Money of messages that are queued, and whose log row does not show it yet.
        public var underWay: Money
        public var messagesUnderWay: Int64

        enum CodingKeys: String, CodingKey {
            case username, mechanism, balance, ledger
            case chargedByLedger = "charged_by_ledger"
            case chargedByLog = "charged_by_log"
            case underWay = "under_way"
            case messagesUnderWay = "messages_under_way"
        }
    }

    public struct Difference: Sendable, Encodable, Equatable {
        public var username: String
        /// Text, for many readers of JSON cut numbers at 53 bits; nil where the difference is the account's.
        public var msgid: String?
        public var what: String
    }

    public struct Report: Sendable, Encodable {
        public var accounts: [AccountLine]
        public var differences: [Difference]
        /// There are more than are listed.
        public var isCut: Bool
        /// Charges in a currency that nobody who could pay them has; up to a hundred. The books are right all the same.
        public var misfits: [PriceStore.Misfit] = []

        enum CodingKeys: String, CodingKey {
            case accounts, differences
            case misfits = "prices_that_never_count"
            case isCut = "more_differences"
        }
    }

    /// - Parameters:
    ///   - now: milliseconds since 1970.
    ///   - limit: differences that are listed at most.
    public static func run(_ connection: Connection, now: Int64, limit: Int = 1_000) throws -> Report {
        try connection.transaction {
            try connection.script("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            var report = Report(accounts: [], differences: [], isCut: false)
            try accounts(connection, &report)
            try messages(connection, now, limit, &report)
            report.misfits = try PriceStore.misfits(connection, limit: 100)
            return report
        }
    }

    private static func accounts(_ connection: Connection, _ report: inout Report) throws {
        let rows = try connection.query(
            """
            WITH sums AS (
                SELECT userid, mechanism, sum(amount) AS total,
                    -COALESCE(sum(amount) FILTER (WHERE kind <> 100), 0) AS charged
                FROM ledger GROUP BY userid, mechanism)
            SELECT u.username, m.mechanism, m.balance, COALESCE(s.total, 0) AS total, COALESCE(s.charged, 0) AS charged
            FROM emguser u
            CROSS JOIN LATERAL (VALUES (2, COALESCE(u.charge_balance, 0)),
                (3, (u.creditssend + u.creditssenddec / 1000000.0)::numeric(24,6))) AS m(mechanism, balance)
            LEFT JOIN sums s ON s.userid = u.userid AND s.mechanism = m.mechanism
            WHERE (m.mechanism = 2) = (u.charge_balance IS NOT NULL) OR m.balance <> 0 OR s.total IS NOT NULL
            ORDER BY u.username, m.mechanism
            """)
        for row in rows {
            let line = AccountLine(
                username: try row.text(0), mechanism: try row.int(1) == 2 ? "charges" : "credits", balance: try row.money(2),
                ledger: try row.money(3), chargedByLedger: try row.money(4), chargedByLog: .zero, underWay: .zero, messagesUnderWay: 0)
            report.accounts.append(line)
            if line.balance != line.ledger {
                report.differences.append(
                    Difference(
                        username: line.username, msgid: nil,
                        what: "the balance (\(line.mechanism)) is \(line.balance), and its ledger adds up to \(line.ledger)"))
            }
        }
        for row in try connection.query(
            """
            SELECT username, sum(amount) FROM ledger l WHERE NOT EXISTS (SELECT FROM emguser u WHERE u.userid = l.userid)
            GROUP BY username HAVING sum(amount) <> 0 ORDER BY username
            """)
        {
            report.differences.append(
                Difference(
                    username: try row.text(0), msgid: nil, what: "the account is gone, and its ledger adds up to \(try row.money(1))"))
        }
    }

    /// Each message of the log against its ledger rows. Messages whose log was dropped by its retention are not compared.
    private static func messages(_ connection: Connection, _ now: Int64, _ limit: Int, _ report: inout Report) throws {
        let first = try connection.query("SELECT min(msgid) FROM routelog")[0].optionalInt(0) ?? .max
        let floors = try connection.query(
            "SELECT signalbox_msgid_floor(to_timestamp($1::bigint / 1000.0)), signalbox_msgid_floor(to_timestamp($2::bigint / 1000.0))",
            [.int(now - logDelayMilliseconds), .int(now - reservationMilliseconds)])[0]
        let bounds: [SQLValue] = [.int(first), .int(try floors.int(0)), .int(try floors.int(1))]
        // 4 = SUBMITTED: from there on the log has the charge; before, it may show the reservation or nothing.
        let compared = """
            WITH booked AS (
                SELECT msgid, min(username) AS username, min(mechanism) AS mechanism, -sum(amount) AS paid,
                    bool_and(kind = 3) AS reserved
                FROM ledger WHERE kind <> 100 AND msgid >= $1 GROUP BY msgid),
            logged AS (SELECT msgid, username, status, charge FROM routelog WHERE msgtype IS DISTINCT FROM 5),
            compared AS (
                SELECT COALESCE(b.msgid, l.msgid) AS msgid, COALESCE(b.username, l.username, '') AS username,
                    COALESCE(b.mechanism, 2) AS mechanism, COALESCE(b.paid, 0) AS paid, COALESCE(l.charge, 0) AS charge,
                    l.msgid IS NULL AS unlogged,
                    COALESCE(l.status, 0) < 4 AND (l.msgid IS NOT NULL OR b.msgid >= $2 OR b.reserved AND b.msgid >= $3) AS under_way
                FROM booked b FULL JOIN logged l ON l.msgid = b.msgid)
            """
        for row in try connection.query(
            compared + """
                 SELECT username, mechanism, sum(charge) FILTER (WHERE NOT under_way) AS charged,
                    sum(paid) FILTER (WHERE under_way) AS under_way, count(*) FILTER (WHERE under_way AND paid <> 0) AS messages
                FROM compared GROUP BY username, mechanism
                """, bounds)
        {
            let (username, mechanism) = (try row.text(0), try row.int(1) == 2 ? "charges" : "credits")
            guard let index = report.accounts.firstIndex(where: { $0.username == username && $0.mechanism == mechanism }) else { continue }
            report.accounts[index].chargedByLog = try row.optionalMoney(2) ?? .zero
            report.accounts[index].underWay = try row.optionalMoney(3) ?? .zero
            report.accounts[index].messagesUnderWay = try row.int(4)
        }
        let rows = try connection.query(
            compared
                + " SELECT msgid, username, paid, charge, unlogged FROM compared WHERE NOT under_way AND paid <> charge ORDER BY msgid LIMIT $4",
            bounds + [.int(limit + 1)])
        for row in rows.prefix(limit) {
            let (paid, charge) = (try row.money(2), try row.money(3))
            let what =
                try row.bool(4)
                ? "the ledger charged \(paid), and the log does not know the message"
                : "the ledger charged \(paid), and the log says \(charge)"
            report.differences.append(Difference(username: try row.text(1), msgid: String(try row.int(0)), what: what))
        }
        report.isCut = rows.count > limit
    }
}
