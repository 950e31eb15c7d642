public import Database

/// The `session` table: who is bound where. A row counts while its instance lives (view `live_session`).
public enum SessionStore {
    /// A client that wants to bind, and what limits it.
    public struct Candidate: Sendable {
        public var id: String
        public var instance: String
        public var connector: String
        /// INSTANCES of the connector, over all instances of the gateway.
        public var connectorLimit: Int
        public var account: String
        /// `maxsessions`, over all connectors and instances; 0 = no limit.
        public var accountLimit: Int
        /// transmitter, receiver, transceiver.
        public var bind: String
        public var remote: String

        public init(
            id: String, instance: String, connector: String, connectorLimit: Int, account: String, accountLimit: Int, bind: String,
            remote: String
        ) {
            self.id = id
            self.instance = instance
            self.connector = connector
            self.connectorLimit = connectorLimit
            self.account = account
            self.accountLimit = accountLimit
            self.bind = bind
            self.remote = remote
        }
    }

    public enum Admission: Sendable, Equatable {
        case admitted
        /// INSTANCES of the connector are bound.
        case connectorFull
        /// `maxsessions` of the account are bound.
        case accountFull
    }

    /// Enters a session if the limits leave room. Those who ask at once, from any instance, are let in one after the other.
    /// - Parameter gone: sessions whose rows are about to be removed: they count no more.
    public static func admit(_ connection: Connection, _ candidate: Candidate, gone: [String]) throws -> Admission {
        try connection.transaction {
            // A row that a crash of the server loses is one of a session that a crash of the client could lose as well: not worth an
            // fsync for each bind. Locks in one order (connector, account), so that none waits for the other.
            try connection.query(
                """
                SELECT set_config('synchronous_commit', 'off', true), pg_advisory_xact_lock(1397180239, hashtext($1)),
                    pg_advisory_xact_lock(1397180240, hashtext($2))
                """, [.text(candidate.connector), .text(candidate.account)])
            // A statement of its own: it sees what was committed before the locks were had.
            let row = try connection.query(
                """
                SELECT count(*) FILTER (WHERE connector = $1), count(*) FILTER (WHERE username = $2) FROM live_session
                WHERE kind = 'client' AND (connector = $1 OR username = $2) AND NOT sessionid = ANY($3::text[])
                """, [.text(candidate.connector), .text(candidate.account), .textArray(gone.map { $0 })])[0]
            if try row.int(0) >= Int64(candidate.connectorLimit) { return .connectorFull }
            if candidate.accountLimit > 0, try row.int(1) >= Int64(candidate.accountLimit) { return .accountFull }
            try connection.execute(
                """
                INSERT INTO session (sessionid, connector, username, instance, bind, remote, kind)
                VALUES ($1, $2, $3, $4, $5, $6, 'client')
                """,
                [
                    .text(candidate.id), .text(candidate.connector), .text(candidate.account), .text(candidate.instance),
                    .text(candidate.bind), .text(candidate.remote),
                ])
            return .admitted
        }
    }

    public static func remove(_ connection: Connection, ids: [String]) throws(DatabaseError) {
        guard !ids.isEmpty else { return }
        try connection.execute("DELETE FROM session WHERE sessionid = ANY($1::text[])", [.textArray(ids.map { $0 })])
    }

    /// Removes rows of an instance's client sessions that it does not know of (any more).
    /// - Parameter olderThanSeconds: younger rows may be of binds that are under way.
    public static func removeUnknown(
        _ connection: Connection, instance: String, open: [String], olderThanSeconds: Int
    ) throws(DatabaseError) {
        try connection.execute(
            """
            DELETE FROM session WHERE instance = $1 AND kind = 'client' AND NOT sessionid = ANY($2::text[])
                AND bound < now() - make_interval(secs => $3::int)
            """, [.text(instance), .textArray(open.map { $0 }), .int(olderThanSeconds)])
    }

    /// Which of an instance's sessions an operator wants ended.
    public static func kicked(_ connection: Connection, instance: String) throws(DatabaseError) -> [String] {
        try connection.query("SELECT sessionid FROM session WHERE instance = $1 AND kicked IS NOT NULL", [.text(instance)])
            .map { (row) throws(DatabaseError) in try row.text(0) }
    }

    /// What part of a connector's sessions are on this instance: its part of the allowed rate.
    /// - Returns: sessions here and altogether, by name.
    public static func shares(
        _ connection: Connection, of names: [String], instance: String
    ) throws(DatabaseError) -> [String: (here: Int, all: Int)] {
        var shares: [String: (here: Int, all: Int)] = [:]
        for row in try connection.query(
            """
            SELECT connector, count(*) FILTER (WHERE instance = $2), count(*) FROM live_session
            WHERE kind = 'client' AND connector = ANY($1::text[]) GROUP BY 1
            """, [.textArray(names.map { $0 }), .text(instance)])
        {
            shares[try row.text(0)] = (Int(try row.int(1)), Int(try row.int(2)))
        }
        return shares
    }

    /// Where a session is that takes deliveries for an account.
    public struct Receiver: Sendable, Hashable {
        public var connector: String
        public var instance: String

        public init(connector: String, instance: String) {
            self.connector = connector
            self.instance = instance
        }
    }

    /// For each of `accounts` a place where it receives, other than `here`: through the same connector if it can be.
    public static func receivers(
        _ connection: Connection, of accounts: [String], besides here: Receiver
    ) throws(DatabaseError) -> [String: Receiver] {
        var found: [String: Receiver] = [:]
        for row in try connection.query(
            """
            SELECT DISTINCT ON (username) username, connector, instance FROM live_session
            WHERE kind = 'client' AND username = ANY($1::text[]) AND bind IN ('receiver', 'transceiver')
                AND NOT (instance = $2 AND connector = $3)
            ORDER BY username, connector <> $3, instance <> $2, bound
            """, [.textArray(accounts.map { $0 }), .text(here.instance), .text(here.connector)])
        {
            found[try row.text(0)] = Receiver(connector: try row.text(1), instance: try row.text(2))
        }
        return found
    }
}

/// A session as an operator sees it.
public struct SessionRow: Sendable, Encodable {
    public var id: String
    public var kind: String
    public var connector: String
    public var account: String
    public var instance: String
    public var bind: String
    public var remote: String
    /// Milliseconds since 1970.
    public var boundAt: Int64
    /// It is being ended.
    public var isKicked: Bool

    enum CodingKeys: String, CodingKey {
        case id, kind, connector, account, instance, bind, remote
        case boundAt = "bound_ms"
        case isKicked = "kicked"
    }
}

extension SessionStore {
    /// Which sessions are meant; what is nil does not matter.
    public struct Filter: Sendable {
        public var id: String?
        public var account: String?
        public var connector: String?

        public init(id: String? = nil, account: String? = nil, connector: String? = nil) {
            self.id = id
            self.account = account
            self.connector = connector
        }

        var parameters: [SQLValue] { [.optional(id), .optional(account), .optional(connector)] }
        static let sql = """
            ($1::text IS NULL OR sessionid = $1) AND ($2::text IS NULL OR username = $2) AND ($3::text IS NULL OR connector = $3)
            """
    }

    public static func list(_ connection: Connection, _ filter: Filter) throws(DatabaseError) -> [SessionRow] {
        var sessions: [SessionRow] = []
        for row in try connection.query(
            """
            SELECT sessionid, kind, connector, username, instance, bind, remote, bound, kicked IS NOT NULL AS kicked FROM live_session
            WHERE \(Filter.sql) ORDER BY connector, username, bound
            """, filter.parameters)
        {
            sessions.append(
                SessionRow(
                    id: try row.text("sessionid"), kind: try row.text("kind"), connector: try row.text("connector"),
                    account: try row.optionalText("username") ?? "", instance: try row.text("instance"),
                    bind: try row.optionalText("bind") ?? "", remote: try row.optionalText("remote") ?? "",
                    boundAt: try row.milliseconds("bound"), isKicked: try row.bool("kicked")))
        }
        return sessions
    }

    /// Marks client sessions to be ended; their instances do it within a second.
    /// - Returns: how many were marked.
    @discardableResult
    public static func kick(_ connection: Connection, _ filter: Filter, by who: String) throws -> Int {
        try connection.transaction {
            let count = try connection.execute(
                "UPDATE session SET kicked = now(), kicked_by = $4 WHERE kind = 'client' AND NOT closed AND \(Filter.sql)",
                filter.parameters + [.text(who)])
            let words = [
                filter.id.map { "session \($0)" }, filter.account.map { "account \($0)" }, filter.connector.map { "connector \($0)" },
            ]
            try Audit.write(
                connection, who: who, action: "session kick",
                detail: "\(words.compactMap { $0 }.joined(separator: ", ")): \(count) sessions")
            return count
        }
    }
}
