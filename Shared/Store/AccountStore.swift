public import Database
public import Pricing

/// `emguser` and `emguseraccess`.
public enum AccountStore {
    private static let columns = """
        u.userid, u.username, u.created, u.creditssend, u.creditssenddec, u.charge_balance, u.charge_balance_postpaid_limit,
        u.allowpostpaid, u.maxsessions, u.throughput, u.lastlogin, u.lastfailedlogin, u.lastipstr, u.lockeduntil, u.usergroup,
        u.fullname, u.company, u.phone, u.route, u.routedlr, u.foresourceaddr, u.currency, u.charge_on,
        u.dlr_per_part
        """

    // MARK: Login

    /// The account and its access rows, in one statement; nil for an unknown user.
    public static func findLogin(_ connection: Connection, username: String) throws(DatabaseError) -> LoginRecord? {
        let rows = try connection.query(
            """
            SELECT \(columns), u.password, u.md5password, u.password_scrypt,
                a.accessid, a.ipaddress, a.ipmask, a.ipstr, a.ipwidth, a.connector
            FROM emguser u LEFT JOIN emguseraccess a ON a.userid = u.userid WHERE u.username = $1 ORDER BY a.accessid
            """, [.text(username)])
        guard let first = rows.first else { return nil }
        var access: [AccessRow] = []
        for row in rows where try !row.isNull("accessid") { access.append(try accessRow(row)) }
        return LoginRecord(
            account: try Account(first), access: access, password: try first.optionalText("password"),
            md5Password: try first.optionalText("md5password"), scryptPassword: try first.optionalText("password_scrypt"))
    }

    /// Writes down a good login, or one that was refused, with where it came from.
    /// - Parameter lockout: after how many wrong passwords in a row the account is locked, and for how long; nil where this one does
    ///   not count.
    /// - Returns: true when the account was locked by this call.
    @discardableResult
    public static func recordLogin(
        _ connection: Connection, username: String, succeeded: Bool, ip: IPAddress, lockout: (attempts: Int, seconds: Int)? = nil
    ) throws(DatabaseError) -> Bool {
        if succeeded {
            try connection.execute(
                "UPDATE emguser SET lastlogin = now(), lastip = $2, lastipstr = $3, failedlogins = 0 WHERE username = $1",
                [.text(username), .optional(ip.integer), .text(ip.description)])
            return false
        }
        guard let lockout, lockout.attempts > 0 else {
            try connection.execute("UPDATE emguser SET lastfailedlogin = now() WHERE username = $1", [.text(username)])
            return false
        }
        // After the lock has ended there are as many attempts again.
        let rows = try connection.query(
            """
            UPDATE emguser SET lastfailedlogin = now(),
                failedlogins = CASE WHEN failedlogins + 1 >= $2::int THEN 0 ELSE failedlogins + 1 END,
                lockeduntil = CASE WHEN failedlogins + 1 >= $2::int
                    THEN GREATEST(lockeduntil, now() + make_interval(secs => $3::int)) ELSE lockeduntil END
            WHERE username = $1 RETURNING failedlogins = 0
            """, [.text(username), .int(lockout.attempts), .int(lockout.seconds)])
        return try rows.first?.bool(0) ?? false
    }

    /// Replaces a password kept in one of EMG's old ways by its scrypt hash, after a good login with it.
    /// Does nothing where the password was changed meanwhile.
    public static func upgradePassword(_ connection: Connection, _ record: LoginRecord, password: String) throws {
        guard record.needsUpgrade else { return }
        try connection.execute(
            """
            UPDATE emguser SET password_scrypt = $2, password = NULL, md5password = NULL
            WHERE userid = $1 AND password_scrypt IS NULL
                AND password IS NOT DISTINCT FROM $3 AND md5password IS NOT DISTINCT FROM $4
            """,
            [
                .int(record.account.id), .text(try PasswordHash.make(password)), .optional(record.password),
                .optional(record.md5Password),
            ])
    }

    // MARK: Administration

    public static func find(_ connection: Connection, username: String) throws(DatabaseError) -> Account? {
        guard let row = try connection.query("SELECT \(columns) FROM emguser u WHERE username = $1", [.text(username)]).first else {
            return nil
        }
        return try Account(row)
    }

    /// Every column of an account that holds something, by EMG's name, in the table's order and as text. Of passwords only how they
    /// are kept is told.
    public static func columns(_ connection: Connection, username: String) throws(DatabaseError) -> [(name: String, value: String)] {
        var found: [(name: String, value: String)] = []
        for row in try connection.query(
            """
            SELECT a.attname, c.value FROM emguser u CROSS JOIN LATERAL jsonb_each_text(to_jsonb(u)) AS c
            JOIN pg_attribute a ON a.attrelid = 'emguser'::regclass AND a.attname = c.key
            WHERE u.username = $1 AND c.value <> '' ORDER BY a.attnum
            """, [.text(username)])
        {
            let name = try row.text(0)
            let value: String
            switch name {
            case "password": value = "in clear text, until the next login"
            case "md5password": value = "as MD5, until the next login"
            case "password_scrypt": value = "as a scrypt hash"
            default: value = try row.text(1)
            }
            found.append((name, value))
        }
        return found
    }

    public static func list(_ connection: Connection) throws(DatabaseError) -> [Account] {
        var accounts: [Account] = []
        for row in try connection.query("SELECT \(columns) FROM emguser u ORDER BY username") { accounts.append(try Account(row)) }
        return accounts
    }

    /// What `add` and `set` may set. A nil leaves things as they are.
    public struct Changes: Sendable {
        public var password: String?
        public var allowPostpaid: Bool?
        public var postpaidLimit: Money?
        public var maxSessions: Int?
        public var throughputPerSecond: Int?
        public var usergroup: String?
        public var fullName: String?
        public var company: String?
        public var phone: String?
        public var route: String?
        public var routeDLR: String?
        public var forcedSource: String?
        public var currency: String?
        /// Opening credits of a new account, which count while there is no balance. Later they change by top-ups.
        public var creditsSend: Int64?
        /// Locked until then, in milliseconds since 1970; `.some(nil)` unlocks.
        public var lockedUntil: Int64??

        public init() {}
    }

    /// - Parameter balance: nil makes an account whose credits count instead.
    /// - Throws: `StoreError.exists`; `DatabaseError`.
    @discardableResult
    public static func add(
        _ connection: Connection, username: String, balance: Money?, changes: Changes, by who: String
    ) throws -> Account {
        try checkName(username)
        return try connection.transaction {
            guard
                try connection.execute(
                    "INSERT INTO emguser (username, charge_balance) VALUES ($1, $2) ON CONFLICT (username) DO NOTHING",
                    [.text(username), .optional(balance.map { _ in Money.zero })]) == 1
            else { throw StoreError.exists("account \(username)") }
            try write(connection, username: username, changes)
            // The opening balance is a movement like others, so that the ledger adds up from the first day.
            if let credits = changes.creditsSend, credits != 0, let amount = PayingAccount.join(whole: credits, millionths: 0) {
                try LedgerStore.book(
                    connection, username: username, amount: amount, mechanism: .credits, by: who, note: "opening credits")
            }
            if let balance, balance != .zero {
                try LedgerStore.book(connection, username: username, amount: balance, by: who, note: "opening balance")
            }
            try Audit.write(connection, who: who, action: "account add", detail: username)
            guard let account = try find(connection, username: username) else { throw StoreError.notFound("account \(username)") }
            return account
        }
    }

    static func checkName(_ username: String) throws(StoreError) {
        guard !username.isEmpty, username.utf8.count <= 64, !username.contains(where: { $0.isWhitespace || $0.isNewline }) else {
            throw .invalid("a user name has 1 to 64 characters and no blanks")
        }
    }

    /// - Throws: `StoreError.notFound`; `DatabaseError`.
    @discardableResult
    public static func set(_ connection: Connection, username: String, changes: Changes, by who: String) throws -> Account {
        try connection.transaction {
            try write(connection, username: username, changes)
            try Audit.write(connection, who: who, action: "account set", detail: username)
            guard let account = try find(connection, username: username) else { throw StoreError.notFound("account \(username)") }
            return account
        }
    }

    private static func write(_ connection: Connection, username: String, _ changes: Changes) throws {
        var assignments: [String] = []
        var values: [SQLValue] = [.text(username)]
        func assign(_ column: String, _ value: SQLValue?) {
            guard let value else { return }
            values.append(value)
            assignments.append("\(column) = $\(values.count)")
        }
        if let password = changes.password {
            guard !password.isEmpty, password.utf8.count <= PasswordHash.maximumPasswordOctets else {
                throw StoreError.invalid("a password has 1 to \(PasswordHash.maximumPasswordOctets) octets")
            }
            assign("password_scrypt", .text(try PasswordHash.make(password)))
            assignments += ["password = NULL", "md5password = NULL"]
        }
        assign("allowpostpaid", changes.allowPostpaid.map { .int($0 ? 1 : 0) })
        assign("charge_balance_postpaid_limit", changes.postpaidLimit.map { .numeric($0) })
        assign("maxsessions", changes.maxSessions.map { .int($0) })
        assign("throughput", changes.throughputPerSecond.map { .int($0) })
        for (column, text) in [
            ("usergroup", changes.usergroup), ("fullname", changes.fullName), ("company", changes.company), ("phone", changes.phone),
            ("route", changes.route), ("routedlr", changes.routeDLR), ("foresourceaddr", changes.forcedSource),
        ] {
            try AccountColumns.checkTarget(connection, column, text)
            // An empty text takes the value away.
            assign(column, text.map { $0.isEmpty ? .null : .text($0) })
        }
        assign("currency", changes.currency.map { .text($0) })
        if let until = changes.lockedUntil {
            values.append(.optional(until))
            assignments.append("lockeduntil = to_timestamp($\(values.count)::bigint / 1000.0)")
        }
        guard !assignments.isEmpty else { return }
        let touched = try connection.execute(
            "UPDATE emguser SET \(assignments.joined(separator: ", ")) WHERE username = $1", values)
        guard touched == 1 else { throw StoreError.notFound("account \(username)") }
    }

    // MARK: Access rows

    static func accessRow(_ row: Row) throws(DatabaseError) -> AccessRow {
        AccessRow(
            id: try row.int("accessid"), ipaddress: try row.optionalInt("ipaddress"), ipmask: try row.optionalInt("ipmask").map { Int($0) },
            ipstr: try row.optionalText("ipstr"), ipwidth: try row.optionalInt("ipwidth").map { Int($0) },
            connector: try row.text("connector"))
    }

    /// - Throws: where nobody can log in through `connector`.
    public static func checkAccessConnector(_ connection: Connection, _ connector: String) throws {
        let rows = try connection.query("SELECT type FROM connector WHERE name = $1", [.text(connector)])
        guard let row = rows.first else { throw StoreError.notFound("connector \(connector)") }
        guard try row.text(0) == "INCOMING" else { throw StoreError.invalid("\(connector) is an outgoing connector: nobody logs in there") }
    }

    /// Writes EMG's integer columns (v4) and its text columns both. A row that is there already is not doubled.
    /// - Returns: the row's id.
    @discardableResult
    public static func addAccess(
        _ connection: Connection, username: String, network: IPNetwork, connector: String, by who: String
    ) throws -> Int64 {
        let network = network.canonical
        return try connection.transaction {
            guard let account = try find(connection, username: username) else { throw StoreError.notFound("account \(username)") }
            let present = try connection.query(
                "SELECT accessid FROM emguseraccess WHERE userid = $1 AND ipstr = $2 AND ipwidth = $3 AND connector = $4",
                [.int(account.id), .text(network.address.description), .int(network.width), .text(connector)])
            if let row = present.first { return try row.int(0) }
            let isV4 = network.address.octets.count == 4
            let rows = try connection.query(
                """
                INSERT INTO emguseraccess (userid, ipaddress, ipmask, connector, ipstr, ipwidth) VALUES ($1, $2, $3, $4, $5, $6)
                RETURNING accessid
                """,
                [
                    .int(account.id), .optional(network.address.integer), isV4 ? .int(network.width) : .null, .text(connector),
                    .text(network.address.description), .int(network.width),
                ])
            try Audit.write(connection, who: who, action: "access add", detail: "\(username) \(network) \(connector)")
            return try rows[0].int(0)
        }
    }

    /// The access rows of one account, or of all.
    public static func listAccess(
        _ connection: Connection, username: String?
    ) throws(DatabaseError) -> [(username: String, row: AccessRow)] {
        var found: [(username: String, row: AccessRow)] = []
        for row in try connection.query(
            """
            SELECT u.username, a.accessid, a.ipaddress, a.ipmask, a.ipstr, a.ipwidth, a.connector
            FROM emguseraccess a JOIN emguser u USING (userid) WHERE $1::text IS NULL OR u.username = $1 ORDER BY u.username, a.accessid
            """, [.optional(username)])
        {
            found.append((try row.text("username"), try accessRow(row)))
        }
        return found
    }

    public static func removeAccess(_ connection: Connection, id: Int64, by who: String) throws {
        try connection.transaction {
            guard try connection.execute("DELETE FROM emguseraccess WHERE accessid = $1", [.int(id)]) == 1 else {
                throw StoreError.notFound("access row \(id)")
            }
            try Audit.write(connection, who: who, action: "access rm", detail: "\(id)")
        }
    }
}
