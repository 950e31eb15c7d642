public import Database
import Routing

/// The table `route`; every change notifies the routers.
public enum RouteStore {
    static let columns = """
        prefix, account, usergroup, in_connector, traffic, source, keyword, pattern, option_name, option_value, schedule, out_connector,
        to_account, priority, weight, least_cost, strip_digits, add_prefix, set_source, disabled, note, origin
        """

    public static func load(_ connection: Connection, includingDisabled: Bool = false) throws(DatabaseError) -> [RouteRow] {
        var routes: [RouteRow] = []
        let rows = try connection.query(
            """
            SELECT routeid, \(columns) FROM route WHERE NOT disabled OR $1::boolean
            ORDER BY prefix, account, usergroup, in_connector, priority, routeid
            """, [.bool(includingDisabled)])
        routes.reserveCapacity(rows.count)
        for row in rows {
            var route = RouteRow(
                id: try row.int(0), prefix: try row.text(1), account: try row.optionalText(2), inConnector: try row.optionalText(4),
                outConnector: try row.text(12), priority: Int(try row.int(14)), weight: Int(try row.int(15)),
                disabled: try row.bool(20), note: try row.optionalText(21))
            route.group = try row.optionalText(3)
            route.traffic = RouteTraffic(rawValue: try row.text(5)) ?? .mt
            route.source = try row.optionalText(6)
            route.keyword = try row.optionalText(7)
            route.pattern = try row.optionalText(8)
            if let name = try row.optionalText(9) { route.option = try row.optionalText(10).map { "\(name)=\($0)" } ?? name }
            route.schedule = try row.optionalText(11)
            route.toAccount = try row.optionalText(13)
            route.leastCost = try row.bool(16)
            route.stripDigits = Int(try row.int(17))
            route.addPrefix = try row.text(18)
            route.setSource = try row.optionalText(19)
            route.origin = try row.optionalText(22)
            routes.append(route)
        }
        return routes
    }

    /// - Throws: `StoreError` where something is wrong with it, or a connector or an account does not exist.
    @discardableResult
    public static func add(_ connection: Connection, _ route: RouteRow, by who: String) throws -> Int64 {
        try connection.transaction {
            if let problem = route.problems(try names(connection, for: [route])).first { throw StoreError.invalid(problem) }
            try copy(connection, [route])
            let id = try connection.query("SELECT currval(pg_get_serial_sequence('route', 'routeid'))")[0].int(0)
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

    /// Adds many routes, all or none.
    /// - Parameters:
    ///   - replacing: whether all that was entered by hand before goes.
    ///   - rows: each with its line in the file.
    /// - Returns: all faults by line; empty where the routes were added.
    public static func addAll(
        _ connection: Connection, _ rows: [(line: Int, route: RouteRow)], replacing: Bool, by who: String
    ) throws -> [(line: Int, message: String)] {
        try connection.transaction {
            let faults = try check(connection, rows)
            guard faults.isEmpty else { return faults }
            if replacing { try connection.execute("DELETE FROM route WHERE origin IS NULL") }
            try copy(connection, rows.map(\.route))
            try Audit.write(
                connection, who: who, action: "route import", detail: "\(rows.count) routes\(replacing ? ", replacing all others" : "")")
            return []
        }
    }

    /// What `addAll` would find wrong.
    public static func check(_ connection: Connection, _ rows: [(line: Int, route: RouteRow)]) throws -> [(line: Int, message: String)] {
        let names = try names(connection, for: rows.map(\.route))
        return rows.flatMap { row in row.route.problems(names).map { (row.line, $0) } }
    }

    static func names(_ connection: Connection, for routes: [RouteRow]) throws -> RouteNames {
        var names = RouteNames(connectors: [:], groups: [], accounts: [])
        for row in try connection.query("SELECT name, type = 'OUTGOING' FROM connector") {
            names.connectors[try row.text(0)] = try row.bool(1)
        }
        for row in try connection.query("SELECT name FROM config_section WHERE kind = 'CONNECTORGROUP'") {
            names.groups.insert(try row.text(0))
        }
        let accounts = Set(routes.flatMap { [$0.account, $0.toAccount].compactMap { $0 } })
        if !accounts.isEmpty {
            for row in try connection.query(
                "SELECT username FROM emguser WHERE username = ANY($1::text[])", [.textArray(accounts.sorted())])
            {
                names.accounts.insert(try row.text(0))
            }
        }
        return names
    }

    /// In one COPY, whatever their number.
    static func copy(_ connection: Connection, _ routes: [RouteRow]) throws {
        _ = try connection.copyIn("COPY route (\(columns.split(whereSeparator: \.isNewline).joined(separator: " "))) FROM STDIN") {
            writer in
            for route in routes {
                let option = try route.option.map { try RouteRow.option($0) }
                writer.text(route.prefix)
                writer.text(route.account)
                writer.text(route.group)
                writer.text(route.inConnector)
                writer.text(route.traffic.rawValue)
                writer.text(route.source)
                writer.text(route.keyword)
                writer.text(route.pattern)
                writer.text(option?.name)
                writer.text(option?.value)
                writer.text(route.schedule)
                writer.text(route.outConnector)
                writer.text(route.toAccount)
                writer.int(Int64(route.priority))
                writer.int(Int64(route.weight))
                writer.bool(route.leastCost)
                writer.int(Int64(route.stripDigits))
                writer.text(route.addPrefix)
                writer.text(route.setSource)
                writer.bool(route.disabled)
                writer.text(route.note)
                writer.text(route.origin)
                try writer.endRow()
            }
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
