public import Database

/// A row of `route`. Nil, or the empty prefix, matches anything.
public struct RouteRow: Sendable, Equatable, Encodable {
    public var id: Int64
    public var prefix: String
    public var account: String?
    public var inConnector: String?
    public var outConnector: String
    public var priority: Int
    public var weight: Int
    public var disabled: Bool
    public var note: String?

    public init(
        id: Int64 = 0, prefix: String, account: String? = nil, inConnector: String? = nil, outConnector: String, priority: Int = 0,
        weight: Int = 1, disabled: Bool = false, note: String? = nil
    ) {
        self.id = id
        self.prefix = prefix
        self.account = account
        self.inConnector = inConnector
        self.outConnector = outConnector
        self.priority = priority
        self.weight = weight
        self.disabled = disabled
        self.note = note
    }

    enum CodingKeys: String, CodingKey {
        case prefix, account, priority, weight, disabled, note
        case id = "routeid"
        case inConnector = "in_connector"
        case outConnector = "out_connector"
    }
}

/// The table `route`; every change notifies the routers.
public enum RouteStore {
    public static func load(_ connection: Connection, includingDisabled: Bool = false) throws(DatabaseError) -> [RouteRow] {
        var routes: [RouteRow] = []
        for row in try connection.query(
            """
            SELECT routeid, prefix, account, in_connector, out_connector, priority, weight, disabled, note
            FROM route WHERE NOT disabled OR $1::boolean ORDER BY prefix, account, in_connector, priority, routeid
            """, [.bool(includingDisabled)])
        {
            routes.append(
                RouteRow(
                    id: try row.int(0), prefix: try row.text(1), account: try row.optionalText(2), inConnector: try row.optionalText(3),
                    outConnector: try row.text(4), priority: Int(try row.int(5)), weight: Int(try row.int(6)),
                    disabled: try row.bool(7), note: try row.optionalText(8)))
        }
        return routes
    }

    /// - Throws: `StoreError` where the connectors or the account do not exist.
    @discardableResult
    public static func add(_ connection: Connection, _ route: RouteRow, by who: String) throws -> Int64 {
        try Prefix.check(route.prefix)
        return try connection.transaction {
            try Existence.connector(connection, route.outConnector)
            if let connector = route.inConnector { try Existence.connector(connection, connector) }
            if let account = route.account { try Existence.account(connection, account) }
            let rows = try connection.query(
                """
                INSERT INTO route (prefix, account, in_connector, out_connector, priority, weight, disabled, note)
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING routeid
                """,
                [
                    .text(route.prefix), .optional(route.account), .optional(route.inConnector), .text(route.outConnector),
                    .int(route.priority), .int(route.weight), .bool(route.disabled), .optional(route.note),
                ])
            let id = try rows[0].int(0)
            try Audit.write(connection, who: who, action: "route add", detail: "\(id): \(route.prefix) to \(route.outConnector)")
            return id
        }
    }

    public static func remove(_ connection: Connection, id: Int64, by who: String) throws {
        try connection.transaction {
            guard try connection.execute("DELETE FROM route WHERE routeid = $1", [.int(id)]) == 1 else {
                throw StoreError.notFound("route \(id)")
            }
            try Audit.write(connection, who: who, action: "route rm", detail: "\(id)")
        }
    }
}

/// Destination prefixes as they are written in routes and prices: digits of an international number without `+`.
enum Prefix {
    static func check(_ prefix: String) throws(StoreError) {
        guard prefix.utf8.count <= 20, prefix.utf8.allSatisfy({ $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }) else {
            throw .invalid("a prefix is up to 20 digits without a sign, or empty for every destination")
        }
    }
}

enum Existence {
    static func connector(_ connection: Connection, _ name: String) throws {
        let rows = try connection.query("SELECT 1 FROM connector WHERE name = $1", [.text(name)])
        guard !rows.isEmpty else { throw StoreError.notFound("connector \(name)") }
    }

    static func account(_ connection: Connection, _ name: String) throws {
        let rows = try connection.query("SELECT 1 FROM emguser WHERE username = $1", [.text(name)])
        guard !rows.isEmpty else { throw StoreError.notFound("account \(name)") }
    }
}
