import Configuration
public import Database
import Pricing
public import Routing

/// All that routing is decided by, as the database has it now: for the routers and for `route test`.
public struct RoutingSetup: Sendable {
    /// A connector whose state is to be watched.
    public struct Watched: Sendable, Hashable {
        public var name: String
        /// It is always connected (STATIC), so without a session it is down.
        public var needsSession: Bool
        /// MAXQUEUESIZE
        public var maxQueueSize: Int?
        /// The consumer group that reads its queue.
        public var consumerGroup: String
    }

    public var plan: RoutingPlan
    public var watched: [Watched]
    /// Rows that cannot be used, in words.
    public var problems: [String]
}

public enum RoutingStore {
    public static func load(_ connection: Connection) throws -> RoutingSetup {
        var problems: [String] = []
        var routes: [Route] = []
        let rows = try RouteStore.load(connection)
        routes.reserveCapacity(rows.count)
        for row in rows {
            do { routes.append(try row.route()) } catch { problems.append("route \(row.id): \(error)") }
        }
        let file = try ConnectorStore.file(connection)
        let (sections, diagnostics) = file.routingSections()
        problems += diagnostics.filter { $0.severity == .error }.map(\.message)
        let connectors = try ConnectorStore.load(connection).connectors
        var accounts = try accounts(connection)
        for account in Set(rows.compactMap(\.owner)) { accounts[account, default: AccountFacts()].hasOwnRouting = true }
        problems += contradictions(accounts, connectors.map(\.name), sections)
        let usesCosts = routes.contains(where: \.leastCost) || sections.groups.contains { $0.kind == .leastCost }
        let plan = RoutingPlan(
            routes: routes, connectors: connectors.map(facts), accounts: accounts, groups: sections.groups,
            pools: sections.pools, lists: AddressLists(try AddressRuleStore.load(connection).map(\.rule)),
            costs: usesCosts ? try costs(connection) : CostTable())
        let watched = connectors.filter { $0.direction == .outgoing && !$0.isDisabled && $0.isSpoken }.map { connector in
            RoutingSetup.Watched(
                name: connector.name, needsSession: connector.isStatic, maxQueueSize: connector.maxQueueSize,
                consumerGroup: "egress-\(connector.protocolName.lowercased()).\(connector.name)")
        }
        return RoutingSetup(plan: plan, watched: watched, problems: problems)
    }

    /// Connectors with a session on an instance that is alive.
    public static func connected(_ connection: Connection) throws(DatabaseError) -> Set<String> {
        var names: Set<String> = []
        for row in try connection.query(
            """
            SELECT DISTINCT s.connector FROM session s JOIN service_instance i ON i.instance = s.instance
            WHERE NOT s.closed AND i.state <> 'stopped' AND i.beat > now() - interval '15 seconds'
            """)
        {
            names.insert(try row.text(0))
        }
        return names
    }

    private static func facts(_ connector: ConnectorConfiguration) -> ConnectorFacts {
        let isOutgoing = connector.direction == .outgoing
        let options = connector.routing
        return ConnectorFacts(
            name: connector.name, isOutgoing: isOutgoing,
            sends: !connector.isDisabled && connector.isSpoken && (!isOutgoing || connector.mode != .receive),
            allowsRoute: options.allowsRoute, route: connector.route, routeAccount: options.routeUser, routeDLR: connector.routeDLR,
            redirect: connector.redirect, pool: options.satPoolCreate, poolLookup: options.satPoolLookup, routeSAT: options.routeSAT,
            numbers: options.numbers, reassemblySeconds: connector.text.reassemblySeconds)
    }

    private static func accounts(_ connection: Connection) throws(DatabaseError) -> [String: AccountFacts] {
        var accounts: [String: AccountFacts] = [:]
        for row in try connection.query(
            """
            SELECT username, nullif(usergroup, ''), nullif(route, ''), nullif(routedlr, ''), nullif(routesat, ''), nullif(satpoolcreate, ''),
                logbody <> 'plain'
            FROM emguser
            WHERE coalesce(usergroup, '') || coalesce(route, '') || coalesce(routedlr, '') || coalesce(routesat, '')
                || coalesce(satpoolcreate, '') <> '' OR logbody <> 'plain'
            """)
        {
            accounts[try row.text(0)] = AccountFacts(
                group: try row.optionalText(1), route: try row.optionalText(2), routeDLR: try row.optionalText(3),
                routeSAT: try row.optionalText(4), pool: try row.optionalText(5), hidesTexts: try row.bool(6))
        }
        return accounts
    }

    /// What accounts name and nobody has configured.
    private static func contradictions(
        _ accounts: [String: AccountFacts], _ connectors: [String], _ sections: RoutingSections
    ) -> [String] {
        let connectors = Set(connectors)
        let targets = connectors.union(sections.groups.map(\.name))
        let pools = Set(sections.pools.map(\.name))
        return accounts.sorted { $0.key < $1.key }.flatMap { name, facts in
            [("route", facts.route, targets), ("routedlr", facts.routeDLR, connectors), ("routesat", facts.routeSAT, connectors)]
                .filter { $0.1.map { [known = $0.2] in !known.contains($0) } ?? false }
                .map { "\($0.0) of the account \(name) names \($0.1 ?? ""), but there is no such connector" }
                + (facts.pool.map { pools.contains($0) } ?? true
                    ? [] : ["satpoolcreate of the account \(name) names \(facts.pool ?? ""), but there is no such SATPOOL"])
        }
    }

    private static func costs(_ connection: Connection) throws(DatabaseError) -> CostTable {
        CostTable(
            try PriceStore.load(connection).compactMap { price in
                price.cost.map { cost in
                    CostTable.Row(
                        scope: RowScope(
                            prefix: price.prefix, account: price.account, inConnector: price.inConnector, outConnector: price.outConnector),
                        micros: cost.micros, validFrom: price.validFrom, validUntil: price.validUntil)
                }
            })
    }
}
