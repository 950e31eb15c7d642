/// A route as an operator enters it.
public struct Route: Sendable, Hashable {
    public var id: Int64
    public var scope: RowScope
    /// Where it leads.
    public var connector: String
    /// Among routes that are equally specific, the smaller number is tried first.
    public var priority: Int
    /// Among routes of the same priority, the share of the traffic (1 or more).
    public var weight: Int

    public init(id: Int64, scope: RowScope, connector: String, priority: Int = 0, weight: Int = 1) {
        self.id = id
        self.scope = scope
        self.connector = connector
        self.priority = priority
        self.weight = max(1, weight)
    }
}

/// What is known of a message when its route is sought.
public struct RouteQuery: Sendable {
    public var msgid: Int64
    public var destination: String
    public var account: String
    public var inConnector: String
    /// Connectors that refused it already.
    public var tried: [String]

    public init(msgid: Int64, destination: String, account: String, inConnector: String, tried: [String] = []) {
        self.msgid = msgid
        self.destination = destination
        self.account = account
        self.inConnector = inConnector
        self.tried = tried
    }
}

public enum RouteDecision: Sendable, Equatable {
    case route(Route)
    /// No row matches at all.
    case noRoute
    /// Rows match, but every connector that they name was tried or is not configured.
    case exhausted
}

/// The routes and the connectors that exist, ready to be asked. A value: a new one is built where routes change, and swapped in.
public struct RoutingTable: Sendable {
    private var table = SpecificityTable<Route>()
    private let connectors: Set<String>

    /// - Parameter connectors: names of the connectors that may send.
    public init(routes: [Route], connectors: Set<String>) {
        self.connectors = connectors
        for route in routes {
            // The outgoing connector is the answer here, not a part of the question.
            var scope = route.scope
            scope.outConnector = nil
            _ = table.insert(route, scope: scope)
        }
    }

    public func decide(_ query: RouteQuery) -> RouteDecision {
        var decision = RouteDecision.noRoute
        table.search(number: query.destination, account: query.account, inConnector: query.inConnector) { rows in
            decision = .exhausted
            let usable = rows.filter { connectors.contains($0.connector) && !query.tried.contains($0.connector) }
            guard let best = usable.map(\.priority).min() else { return false }
            decision = .route(pick(usable.filter { $0.priority == best }, msgid: query.msgid))
            return true
        }
        return decision
    }

    /// By weight, the same for the same message each time: a batch that is processed again goes the same way.
    private func pick(_ routes: [Route], msgid: Int64) -> Route {
        guard routes.count > 1 else { return routes[0] }
        // Ids made in one millisecond differ only in low bits; a multiplication spreads them (Fibonacci hashing).
        let spread = (UInt64(bitPattern: msgid) &* 0x9E37_79B9_7F4A_7C15) >> 33
        var rest = Int(spread % UInt64(routes.reduce(0) { $0 + $1.weight }))
        for route in routes {
            rest -= route.weight
            if rest < 0 { return route }
        }
        return routes[0]
    }
}
