public import Configuration
public import Database
import Pricing

/// The rows that come from the files which accounts name (`emguser.routing` and `emguser.charges`).
public enum AccountFileStore {
    /// The files that accounts name now.
    public static func references(_ connection: Connection) throws(DatabaseError) -> [AccountFile.Reference] {
        var found: [AccountFile.Reference] = []
        for row in try connection.query(
            """
            SELECT username, nullif(routing, ''), nullif(charges, '') FROM emguser
            WHERE coalesce(routing, '') || coalesce(charges, '') <> '' ORDER BY username
            """)
        {
            let account = try row.text(0)
            if let path = try row.optionalText(1) { found.append(.init(account: account, kind: .routing, path: path)) }
            if let path = try row.optionalText(2) { found.append(.init(account: account, kind: .charges, path: path)) }
        }
        return found
    }

    /// What their rows name and nobody has configured.
    /// - Parameter configuration: the one that is about to count; nil: the database's.
    public static func problems(
        _ connection: Connection, _ files: [AccountFile], configuration: ConfigurationFile? = nil
    ) throws -> [String] {
        guard !files.isEmpty else { return [] }
        var names = try RouteStore.names(
            connection, for: files.map { RouteRow(prefix: "", account: $0.reference.account, outConnector: "") })
        if let configuration {
            names.connectors = Dictionary(
                configuration.connectors.map { ($0.name, $0.last("TYPE")?.value?.uppercased() == "OUTGOING") }, uniquingKeysWith: { $1 })
            names.groups = Set(configuration.sections.filter { $0.kind == .connectorGroup }.map(\.name))
        }
        return files.flatMap { file in
            var told: Set<String> = []
            return routes(of: file).flatMap { $0.problems(names) }.filter { told.insert($0).inserted }
                .map { "\(file.reference.kind.rawValue) of the account \(file.reference.account): \(file.reference.path): \($0)" }
        }
    }

    /// What would change if `files` were all the files of all accounts, in words.
    public static func difference(_ connection: Connection, _ files: [AccountFile]) throws -> [String] {
        try changes(connection, files).map(\.words)
    }

    /// Inside an open transaction: makes `files` all the files of all accounts.
    static func write(_ connection: Connection, _ files: [AccountFile]) throws -> [String] {
        let changes = try changes(connection, files)
        for change in changes { try apply(connection, change) }
        return changes.map(\.words)
    }

    /// Inside an open transaction: the rows of one account's file are those of `file`; nil = there are none.
    static func replace(_ connection: Connection, _ reference: AccountFile.Reference, with file: AccountFile?) throws {
        let stored = try self.stored(connection, [reference.origin])[reference.origin]
        if let change = change(of: reference.origin, file, stored ?? Stored(), try currencies(connection)) { try apply(connection, change) }
    }

    // MARK: What is to change

    private struct Stored {
        var routes: [RouteRow] = []
        var prices: [(id: Int64, charge: AccountFile.Charge)] = []
    }

    private struct Change {
        var origin: String
        /// Nil: they stay as they are.
        var routes: [RouteRow]?
        var account = ""
        var newPrices: [AccountFile.Charge] = []
        var gonePrices: [Int64] = []
        var words: String
    }

    private static func changes(_ connection: Connection, _ files: [AccountFile]) throws -> [Change] {
        let currencies = try currencies(connection)
        let stored = try stored(connection, nil)
        var changes: [Change] = []
        for file in files {
            let origin = file.reference.origin
            if let change = change(of: origin, file, stored[origin] ?? Stored(), currencies) { changes.append(change) }
        }
        let named = Set(files.map(\.reference.origin))
        for (origin, rows) in stored.sorted(by: { $0.key < $1.key }) where !named.contains(origin) {
            if let change = change(of: origin, nil, rows, currencies) { changes.append(change) }
        }
        return changes
    }

    private static func change(of origin: String, _ file: AccountFile?, _ stored: Stored, _ currencies: [String: String]) -> Change? {
        let wantedRoutes = file.map { routes(of: $0) } ?? []
        let oldRoutes = stored.routes.map { row in
            var row = row
            row.id = 0
            return row
        }
        let wanted = Set(
            (file?.charges ?? []).map { charge in
                AccountFile.Charge(
                    prefix: charge.prefix, charge: charge.charge,
                    currency: charge.currency ?? file.flatMap { currencies[$0.reference.account] } ?? "EUR")
            })
        let old = Set(stored.prices.map(\.charge))
        var change = Change(origin: origin, account: file?.reference.account ?? "", words: "")
        if wantedRoutes != oldRoutes { change.routes = wantedRoutes }
        change.newPrices = wanted.subtracting(old).sorted { ($0.prefix, $0.charge) < ($1.prefix, $1.charge) }
        change.gonePrices = stored.prices.filter { !wanted.contains($0.charge) }.map(\.id)
        let come = wantedRoutes.filter { !oldRoutes.contains($0) }.count + change.newPrices.count
        let go = oldRoutes.filter { !wantedRoutes.contains($0) }.count + change.gonePrices.count
        guard change.routes != nil || come + go > 0 else { return nil }
        change.words = "\(file == nil ? "-" : "~") \(origin) \(file?.reference.path ?? ""): \(come) rows come, \(go) go"
        return change
    }

    private static func routes(of file: AccountFile) -> [RouteRow] {
        file.rows.flatMap { row in
            row.targets.enumerated().map { place, target in
                var route = RouteRow(
                    prefix: row.prefix, account: file.reference.account, inConnector: row.inConnector, outConnector: target, priority: place
                )
                route.source = row.source
                route.keyword = row.keyword
                route.pattern = row.pattern
                route.origin = file.reference.origin
                return route
            }
        }
    }

    // MARK: The tables

    private static func currencies(_ connection: Connection) throws(DatabaseError) -> [String: String] {
        var currencies: [String: String] = [:]
        for row in try connection.query("SELECT username, currency FROM emguser WHERE coalesce(charges, '') <> ''") {
            currencies[try row.text(0)] = try row.text(1)
        }
        return currencies
    }

    /// - Parameter origins: nil = of all accounts.
    private static func stored(_ connection: Connection, _ origins: Set<String>?) throws -> [String: Stored] {
        var stored: [String: Stored] = [:]
        func isWanted(_ origin: String) -> Bool { origins?.contains(origin) ?? origin.hasPrefix(AccountFile.Reference.originPrefix) }
        for row in try RouteStore.load(connection, includingDisabled: true) {
            guard let origin = row.origin, isWanted(origin) else { continue }
            stored[origin, default: Stored()].routes.append(row)
        }
        // As a file has them: in the order in which they were written.
        for origin in stored.keys { stored[origin]?.routes.sort { $0.id < $1.id } }
        for row in try connection.query(
            "SELECT origin, priceid, prefix, charge, currency FROM price WHERE origin IS NOT NULL AND removed IS NULL ORDER BY priceid")
        {
            let origin = try row.text(0)
            guard isWanted(origin) else { continue }
            stored[origin, default: Stored()].prices.append(
                (try row.int(1), .init(prefix: try row.text(2), charge: try row.optionalMoney(3) ?? .zero, currency: try row.text(4))))
        }
        return stored
    }

    private static func apply(_ connection: Connection, _ change: Change) throws {
        if let routes = change.routes {
            try connection.execute("DELETE FROM route WHERE origin = $1", [.text(change.origin)])
            try RouteStore.copy(connection, routes)
        }
        if !change.gonePrices.isEmpty {
            // The rows stay for the messages that name them.
            try connection.execute(
                "UPDATE price SET removed = now(), disabled = true, updated = now() WHERE priceid = ANY($1::bigint[])",
                [.intArray(change.gonePrices.map { $0 })])
        }
        for price in change.newPrices {
            try connection.execute(
                "INSERT INTO price (prefix, account, charge, currency, origin) VALUES ($1, $2, $3, $4, $5)",
                [.text(price.prefix), .text(change.account), .numeric(price.charge), .optional(price.currency), .text(change.origin)])
        }
    }
}
