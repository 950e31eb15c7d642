public import Configuration
public import Database
public import Routing

/// A row of `address_rule`: black- and whitelists.
public struct AddressRuleRow: Sendable, Equatable, Encodable {
    public var id: Int64
    public var rule: AddressRule
    public var note: String?
    /// The keyword of the configuration whose file it comes from; nil: entered by hand.
    public var origin: String?

    public init(id: Int64 = 0, rule: AddressRule, note: String? = nil, origin: String? = nil) {
        self.id = id
        self.rule = rule
        self.note = note
        self.origin = origin
    }

    enum CodingKeys: String, CodingKey {
        case list, field, address, action, account, connector, note, origin
        case id = "ruleid"
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(id, forKey: .id)
        try container.encode(rule.list, forKey: .list)
        try container.encode(rule.field, forKey: .field)
        try container.encode(rule.address, forKey: .address)
        try container.encode(rule.action, forKey: .action)
        try container.encodeIfPresent(rule.account, forKey: .account)
        try container.encodeIfPresent(rule.connector, forKey: .connector)
        try container.encodeIfPresent(note, forKey: .note)
        try container.encodeIfPresent(origin, forKey: .origin)
    }
}

public enum AddressRuleStore {
    public static func load(_ connection: Connection) throws(DatabaseError) -> [AddressRuleRow] {
        var rules: [AddressRuleRow] = []
        for row in try connection.query(
            """
            SELECT ruleid, list, field, address, action, account, connector, note, origin FROM address_rule
            ORDER BY list, field, account, connector, address, ruleid
            """)
        {
            guard let list = AddressRule.List(rawValue: try row.text(1)), let field = AddressRule.Field(rawValue: try row.text(2)),
                let action = AddressRule.Action(rawValue: try row.text(4))
            else { continue }
            rules.append(
                AddressRuleRow(
                    id: try row.int(0),
                    rule: AddressRule(
                        list: list, field: field, address: try row.text(3), action: action, account: try row.optionalText(5),
                        connector: try row.optionalText(6)), note: try row.optionalText(7), origin: try row.optionalText(8)))
        }
        return rules
    }

    /// - Throws: `StoreError` where the rule is there already, or makes no sense, or names what does not exist.
    @discardableResult
    public static func add(_ connection: Connection, _ rule: AddressRule, note: String?, by who: String) throws -> Int64 {
        if let problem = rule.problem { throw StoreError.invalid(problem) }
        return try connection.transaction {
            if let account = rule.account { try Existence.account(connection, account) }
            if let connector = rule.connector { try Existence.connector(connection, connector) }
            let rows = try connection.query(
                """
                INSERT INTO address_rule (list, field, address, action, account, connector, note) VALUES ($1, $2, $3, $4, $5, $6, $7)
                ON CONFLICT DO NOTHING RETURNING ruleid
                """,
                [
                    .text(rule.list.rawValue), .text(rule.field.rawValue), .text(rule.address), .text(rule.action.rawValue),
                    .optional(rule.account), .optional(rule.connector), .optional(note),
                ])
            guard let row = rows.first else { throw StoreError.exists("entry for \(rule.address) on this \(rule.list.rawValue)") }
            try Audit.write(connection, who: who, action: "\(rule.list.rawValue) add", detail: rule.address)
            return try row.int(0)
        }
    }

    public static func remove(_ connection: Connection, id: Int64, list: AddressRule.List, by who: String) throws {
        try connection.transaction {
            guard try connection.execute("DELETE FROM address_rule WHERE ruleid = $1 AND list = $2", [.int(id), .text(list.rawValue)]) == 1
            else { throw StoreError.notFound("entry \(id) on the \(list.rawValue)") }
            try Audit.write(connection, who: who, action: "\(list.rawValue) rm", detail: "\(id)")
        }
    }

    /// Adds many, all or none; one that is there already stays as it is.
    /// - Returns: how many are new.
    public static func addAll(_ connection: Connection, _ rules: [AddressRule], by who: String) throws -> Int {
        try connection.transaction {
            for account in Set(rules.compactMap(\.account)) { try Existence.account(connection, account) }
            for connector in Set(rules.compactMap(\.connector)) { try Existence.connector(connection, connector) }
            let added = try insert(connection, rules, origin: nil)
            try Audit.write(connection, who: who, action: "list import", detail: "\(added) addresses")
            return added
        }
    }

    static func insert(_ connection: Connection, _ rules: [AddressRule], origin: String?) throws(DatabaseError) -> Int {
        try connection.execute(
            """
            INSERT INTO address_rule (list, field, address, action, account, connector, origin)
            SELECT l, f, a, x, u, c, $7 FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[])
                AS t(l, f, a, x, u, c)
            ON CONFLICT DO NOTHING
            """,
            [
                .textArray(rules.map(\.list.rawValue)), .textArray(rules.map(\.field.rawValue)), .textArray(rules.map(\.address)),
                .textArray(rules.map(\.action.rawValue)), .textArray(rules.map(\.account)), .textArray(rules.map(\.connector)),
                .optional(origin),
            ])
    }
}

/// The rows that come from the files which a configuration names (BLACKLIST, WHITELIST, ROUTING).
public enum RoutingFileStore {
    /// What would change if `contents` were applied, in words; empty where nothing would.
    public static func difference(_ connection: Connection, _ contents: RoutingFileContents) throws -> [String] {
        try changes(connection, contents).map(\.words)
    }

    /// Inside an open transaction.
    static func write(_ connection: Connection, _ contents: RoutingFileContents) throws -> [String] {
        let changes = try changes(connection, contents)
        for change in changes {
            try connection.execute("DELETE FROM address_rule WHERE origin = $1", [.text(change.origin)])
            try connection.execute("DELETE FROM route WHERE origin = $1", [.text(change.origin)])
            guard let file = change.file else { continue }
            _ = try AddressRuleStore.insert(connection, file.rules, origin: change.origin)
            try RouteStore.copy(connection, routes(of: file))
        }
        return changes.map(\.words)
    }

    private struct Change {
        var origin: String
        /// Nil: the configuration names it no more.
        var file: RoutingFileContents.File?
        var words: String
    }

    private static func changes(_ connection: Connection, _ contents: RoutingFileContents) throws -> [Change] {
        let rules = Dictionary(grouping: try AddressRuleStore.load(connection).filter { $0.origin != nil }, by: { $0.origin ?? "" })
        let routes = Dictionary(
            grouping: try RouteStore.load(connection, includingDisabled: true).filter { isOfConfiguration($0.origin) },
            by: { $0.origin ?? "" })
        var changes: [Change] = []
        for file in contents.files {
            let origin = file.reference.origin
            let oldRules = Set((rules[origin] ?? []).map(\.rule))
            let newRules = Set(file.rules)
            let oldRoutes = (routes[origin] ?? []).map { nameless($0) }
            let newRoutes = self.routes(of: file).map { nameless($0) }
            let come = newRules.subtracting(oldRules).count + newRoutes.filter { !oldRoutes.contains($0) }.count
            let go = oldRules.subtracting(newRules).count + oldRoutes.filter { !newRoutes.contains($0) }.count
            guard come + go > 0 else { continue }
            changes.append(Change(origin: origin, file: file, words: "~ \(origin) \(file.reference.path): \(come) rows come, \(go) go"))
        }
        let named = Set(contents.files.map(\.reference.origin))
        for origin in Set(rules.keys).union(routes.keys).subtracting(named).sorted() {
            let count = (rules[origin]?.count ?? 0) + (routes[origin]?.count ?? 0)
            changes.append(Change(origin: origin, file: nil, words: "- \(origin): \(count) rows go"))
        }
        return changes
    }

    /// Rows of accounts' files have an origin too.
    private static func isOfConfiguration(_ origin: String?) -> Bool {
        origin.map { !$0.hasPrefix(AccountFile.Reference.originPrefix) } ?? false
    }

    private static func nameless(_ row: RouteRow) -> RouteRow {
        var row = row
        row.id = 0
        return row
    }

    private static func routes(of file: RoutingFileContents.File) -> [RouteRow] {
        file.rows.flatMap { row in
            row.targets.enumerated().map { place, target in
                var route = RouteRow(prefix: row.prefix, inConnector: row.inConnector, outConnector: target, priority: place)
                route.source = row.source
                route.keyword = row.keyword
                route.pattern = row.pattern
                route.origin = file.reference.origin
                return route
            }
        }
    }
}
