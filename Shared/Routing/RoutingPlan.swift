/// What routing knows of a connector.
public struct ConnectorFacts: Sendable, Hashable {
    public var name: String
    /// Towards a provider; otherwise clients bind to it.
    public var isOutgoing: Bool
    /// It can take messages to send: it is not disabled, its protocol is spoken, and its MODE is not receive.
    public var sends: Bool
    /// ALLOWROUTE: a message may name its own ROUTE.
    public var allowsRoute: Bool
    /// ROUTE: where everything goes that comes in here.
    public var route: String?
    /// ROUTEUSER (ours): who gets a message from a phone that ROUTE leads to a client connector.
    public var routeAccount: String?
    /// ROUTEDLR: where reports go that come in here.
    public var routeDLR: String?
    /// REDIRECT: what is to go out here goes there instead.
    public var redirect: String?
    /// SATPOOL_CREATE: pool for the senders of what comes in here, where the account names none.
    public var pool: String?
    /// SATPOOL_LOOKUP: the only pool that answers which come in here are sought in.
    public var poolLookup: String?
    /// ROUTESAT: where answers go to what came in here, where the account names nothing.
    public var routeSAT: String?
    public var numbers: NumberRules
    /// REASSEMBLE, REASSEMBLETIME: parts that come in here wait so many seconds for each other; nil = not at all.
    public var reassemblySeconds: Int?

    public init(
        name: String, isOutgoing: Bool, sends: Bool = true, allowsRoute: Bool = false, route: String? = nil, routeAccount: String? = nil,
        routeDLR: String? = nil, redirect: String? = nil, pool: String? = nil, poolLookup: String? = nil, routeSAT: String? = nil,
        numbers: NumberRules = .init(), reassemblySeconds: Int? = nil
    ) {
        self.name = name
        self.isOutgoing = isOutgoing
        self.sends = sends
        self.allowsRoute = allowsRoute
        self.route = route
        self.routeAccount = routeAccount
        self.routeDLR = routeDLR
        self.redirect = redirect
        self.pool = pool
        self.poolLookup = poolLookup
        self.routeSAT = routeSAT
        self.numbers = numbers
        self.reassemblySeconds = reassemblySeconds
    }
}

/// A connector by reference: decisions hand connectors around, and a copy of all that is known of one costs as much as finding it.
final class ConnectorNode: Sendable {
    let facts: ConnectorFacts

    init(_ facts: ConnectorFacts) { self.facts = facts }
}

/// What routing knows of an account: the columns of `emguser` of those names.
public struct AccountFacts: Sendable, Hashable {
    public var group: String?
    public var route: String?
    public var routeDLR: String?
    public var routeSAT: String?
    /// `satpoolcreate`
    public var pool: String?
    /// It has a routing file of its own (`routing`), so that the general one does not count for it.
    public var hasOwnRouting: Bool
    /// Its texts are not kept in the clear (`logbody`), so none is quoted.
    public var hidesTexts: Bool

    public init(
        group: String? = nil, route: String? = nil, routeDLR: String? = nil, routeSAT: String? = nil, pool: String? = nil,
        hasOwnRouting: Bool = false, hidesTexts: Bool = false
    ) {
        self.group = group
        self.route = route
        self.routeDLR = routeDLR
        self.routeSAT = routeSAT
        self.pool = pool
        self.hasOwnRouting = hasOwnRouting
        self.hidesTexts = hidesTexts
    }
}

/// What changes from second to second.
public struct LiveState: Sendable, Hashable {
    /// Connectors without a session.
    public var down: Set<String>
    /// Connectors whose queue has reached MAXQUEUESIZE.
    public var full: Set<String>

    public init(down: Set<String> = [], full: Set<String> = []) {
        self.down = down
        self.full = full
    }
}

/// Everything that routing is decided by. A value: a new one is built where something changes, and swapped in.
public struct RoutingPlan: Sendable {
    /// A message that our own connectors brought back more often than this goes in circles.
    public static let maxHops = 8

    let fromAccounts: RouteIndex
    let fromPhones: RouteIndex
    public let connectors: [String: ConnectorFacts]
    let nodes: [String: ConnectorNode]
    public let accounts: [String: AccountFacts]
    public let groups: [String: ConnectorGroup]
    public let pools: [String: SourcePool]
    let lists: AddressLists
    let costs: CostTable
    public let routeCount: Int

    public init(
        routes: [Route], connectors: [ConnectorFacts], accounts: [String: AccountFacts] = [:], groups: [ConnectorGroup] = [],
        pools: [SourcePool] = [], lists: AddressLists = .init(), costs: CostTable = .init()
    ) {
        fromAccounts = RouteIndex(routes.filter { $0.match.traffic != .mo })
        fromPhones = RouteIndex(routes.filter { $0.match.traffic != .mt })
        self.connectors = Dictionary(connectors.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        nodes = self.connectors.mapValues { ConnectorNode($0) }
        self.accounts = accounts
        self.groups = Dictionary(groups.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        self.pools = Dictionary(pools.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        self.lists = lists
        self.costs = costs
        routeCount = routes.count
    }

    /// Whether parts of long messages are put together anywhere.
    public var reassembles: Bool { connectors.values.contains { $0.reassemblySeconds != nil } }

    /// Whether a decision may ask for the message's text or options; where not, they need not be read.
    public var usesContent: Bool {
        let content: RouteIndex.Shape = [.keyword, .pattern, .option]
        return !fromAccounts.conditions.isDisjoint(with: content) || !fromPhones.conditions.isDisjoint(with: content)
            || connectors.values.contains { $0.allowsRoute }
    }

    /// The pools that an answer to `number` over `connector` may belong to.
    public func pools(answeredTo number: String, over connector: String) -> [SourcePool] {
        guard !pools.isEmpty else { return [] }
        if let only = connectors[connector]?.poolLookup { return pools[only].map { $0.contains(number) ? [$0] : [] } ?? [] }
        return pools.values.filter { $0.contains(number) }.sorted { $0.name < $1.name }
    }

    /// Why a list forbids a message; nil where none does. For what goes its way without a decision.
    public func listed(_ query: RouteQuery) -> String? {
        lists.onArrival(
            source: query.source, destination: query.destination, account: query.account, inConnector: query.inConnector
        ).refusal
    }

    /// The connector that an answer goes to: `routesat` of the account, ROUTESAT of the connector that the message came in over, or
    /// that connector itself.
    public func answerConnector(account: String, inConnector: String) -> String {
        let target = accounts[account]?.routeSAT ?? connectors[inConnector]?.routeSAT ?? inConnector
        return deliveryConnector(target)
    }

    /// Where something for the clients of `connector` goes: there, or where its REDIRECT leads.
    public func deliveryConnector(_ connector: String) -> String {
        var name = connector
        for _ in 0..<Self.maxHops {
            guard let next = connectors[name]?.redirect, connectors[next]?.isOutgoing == false else { return name }
            name = next
        }
        return name
    }
}
