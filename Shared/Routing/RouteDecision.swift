extension RoutingPlan {
    /// Decides where a message goes. Pure: the same question, plan and state, the same answer on every instance.
    public func decide(_ query: RouteQuery, _ live: LiveState = .init()) -> RouteVerdict {
        var decider = Decider(plan: self, query: query, live: live, trace: nil)
        return decider.run()
    }

    /// The same with its reasons, step by step.
    public func explain(_ query: RouteQuery, _ live: LiveState = .init()) -> (verdict: RouteVerdict, steps: [String]) {
        let trace = RouteTrace()
        var decider = Decider(plan: self, query: query, live: live, trace: trace)
        let verdict = decider.run()
        switch verdict {
        case .go(let choice):
            trace.note("it goes to \(choice.connector)\(choice.routeID == 0 ? "" : " by route \(choice.routeID)")")
            if choice.isDelivery { trace.note("where the account \(choice.account) gets it") }
        case .refuse(let refusal): trace.note("it ends here: \(refusal)")
        }
        return (verdict, trace.steps)
    }
}

/// One decision under way.
private struct Decider {
    let plan: RoutingPlan
    var query: RouteQuery
    let live: LiveState
    let trace: RouteTrace?
    private var notes: [String] = []
    /// What the incoming connector makes of the sender (REGEXP).
    private var rewrittenSource: String?
    private let account: AccountFacts?
    private let arrival: ConnectorNode?

    init(plan: RoutingPlan, query: RouteQuery, live: LiveState, trace: RouteTrace?) {
        self.plan = plan
        self.query = query
        self.live = live
        self.trace = trace
        account = plan.accounts.isEmpty ? nil : plan.accounts[query.account]
        arrival = plan.nodes[query.inConnector]
    }

    /// Where a target leads now.
    private struct Way {
        var node: ConnectorNode
        var facts: ConnectorFacts { _read { yield node.facts } }
    }

    /// What a provider brought comes from a phone, also where an account pays for it by now.
    private var traffic: RouteTraffic { arrival?.facts.isOutgoing == true || query.account.isEmpty ? .mo : .mt }

    mutating func run() -> RouteVerdict {
        if query.hops > RoutingPlan.maxHops { return .refuse(.circles) }
        if let arrival = arrival?.facts, !arrival.isOutgoing, !arrival.numbers.isEmpty {
            let normalized = arrival.numbers.apply(query.destination)
            if normalized != query.destination {
                trace?.note("\(arrival.name) makes \(normalized) of the destination \(query.destination)")
            }
            query.destination = normalized
            let source = arrival.numbers.applyToSource(query.source)
            if source != query.source {
                trace?.note("\(arrival.name) makes \(source) of the sender \(query.source)")
                query.source = source
                rewrittenSource = source
            }
        }
        if !plan.lists.isEmpty {
            let finding = plan.lists.onArrival(
                source: query.source, destination: query.destination, account: query.account, inConnector: query.inConnector)
            if let refusal = finding.refusal { return .refuse(.listed(refusal)) }
            for note in finding.notes { trace?.note(note) }
            notes += finding.notes
        }
        if let fixed = fixedTarget() { return go(to: fixed.target, account: fixed.account, because: fixed.reason) }
        return byTable()
    }

    // MARK: Fixed routes (EMG-REFERENCE 5.1)

    private func fixedTarget() -> (target: String, account: String?, reason: String)? {
        if arrival?.facts.allowsRoute == true, let named = query.options.first(where: { $0.name == "ROUTE" })?.value, !named.isEmpty {
            trace?.note("the message names its route, \(named), and \(query.inConnector) allows it")
            return (named, nil, "the message's own ROUTE is \(named)")
        }
        if let route = account?.route, !route.isEmpty {
            trace?.note("the account \(query.account) has the fixed route \(route)")
            return (route, nil, "the account's route is \(route)")
        }
        if let arrival, let route = arrival.facts.route {
            trace?.note("\(arrival.facts.name) has the fixed route \(route)")
            return (route, arrival.facts.routeAccount, "ROUTE of \(arrival.facts.name) is \(route)")
        }
        return nil
    }

    private func go(to target: String, account: String?, because reason: String) -> RouteVerdict {
        guard plan.connectors[target] != nil || plan.groups[target] != nil else {
            return .refuse(.unknownTarget("\(reason), and there is no such connector"))
        }
        guard let way = resolve(target, alive: true, account: account) ?? resolve(target, alive: false, account: account) else {
            return .refuse(isWithoutAccount(target, account) ? .noAccount(target) : .exhausted)
        }
        return chosen(way, 0, nil, account)
    }

    /// Whether naming an account would have made the difference.
    private func isWithoutAccount(_ target: String, _ account: String?) -> Bool {
        traffic == .mo && account == nil && resolve(target, alive: false, account: "?") != nil
    }

    // MARK: The table

    private func byTable() -> RouteVerdict {
        let index = traffic == .mo ? plan.fromPhones : plan.fromAccounts
        var anyMatched = false
        var lacksAccount: String?
        for alive in [true, false] {
            var verdict: RouteVerdict?
            if !alive { trace?.note("no connector that is connected and has room is left: those without are asked") }
            index.search(query, group: account?.group, trace: trace) { found in
                let rows = counting(found, in: index)
                guard !rows.isEmpty else { return false }
                anyMatched = true
                if lacksAccount == nil, traffic == .mo {
                    lacksAccount = rows.lazy.map { index.routes[Int($0)] }.first { isWithoutAccount($0.target, $0.toAccount) }?.target
                }
                guard let (row, way) = best(of: rows, in: index, alive: alive) else { return false }
                verdict = chosen(way, index.routes[row].id, index.routes[row].translation, index.routes[row].toAccount)
                return true
            }
            if let verdict { return verdict }
            // Nothing to ask again where nothing matched, or nothing stands in the way but what stays there.
            guard anyMatched, !live.down.isEmpty || !live.full.isEmpty else { break }
        }
        guard anyMatched else { return .refuse(.noRoute) }
        return .refuse(lacksAccount.map { .noAccount($0) } ?? .exhausted)
    }

    /// Without the routes of the general file, where the account has one of its own.
    private func counting(_ rows: [Int32], in index: RouteIndex) -> [Int32] {
        guard account?.hasOwnRouting == true, rows.contains(where: { index.routes[Int($0)].isFromGeneralFile }) else { return rows }
        trace?.note("the account \(query.account) has a routing file of its own: routes of the general one do not count")
        return rows.filter { !index.routes[Int($0)].isFromGeneralFile }
    }

    /// The route of one level that is to be taken: by priority, then cost or weight, among those that lead somewhere.
    private func best(of rows: [Int32], in index: RouteIndex, alive: Bool) -> (row: Int, way: Way)? {
        if rows.count == 1 {
            let row = Int(rows[0])
            guard let way = resolve(index.routes[row].target, alive: alive, account: index.routes[row].toAccount) else { return nil }
            return (row, way)
        }
        var usable: [(row: Int, way: Way)] = []
        var priority = Int.max
        for row in rows.lazy.map({ Int($0) }) {
            guard index.routes[row].priority <= priority,
                let way = resolve(index.routes[row].target, alive: alive, account: index.routes[row].toAccount)
            else { continue }
            if index.routes[row].priority < priority {
                usable.removeAll(keepingCapacity: true)
                priority = index.routes[row].priority
            }
            usable.append((row, way))
        }
        guard usable.count > 1 else { return usable.first }
        if usable.contains(where: { index.routes[$0.row].leastCost }) {
            let costs = usable.map { cost(of: $0.way.facts.name) }
            let least = costs.min() ?? .max
            let cheapest = zip(usable, costs).filter { $0.1 == least }.map(\.0)
            trace?.note("the cheapest of \(usable.count) routes: \(money(least))")
            usable = cheapest
        }
        let place = draw(usable.map { index.routes[$0.row].weight }, salt: 0)
        trace?.note("of \(usable.count) routes of priority \(priority), by weight: route \(index.routes[usable[place].row].id)")
        return usable[place]
    }

    /// A place in `weights`; a weight of 0 counts only where all are.
    private func draw(_ weights: [Int], salt: UInt64) -> Int {
        let total = weights.reduce(0, +)
        guard weights.count > 1 else { return 0 }
        guard total > 0 else { return RouteShare.draw(query.share, below: weights.count, salt: salt) }
        var rest = RouteShare.draw(query.share, below: total, salt: salt)
        for (place, weight) in weights.enumerated() {
            rest -= weight
            if rest < 0 { return place }
        }
        return 0
    }

    /// Per part; what nobody has entered is the dearest.
    private func cost(of connector: String) -> Int64 {
        plan.costs.micros(
            destination: query.destination, account: query.account, inConnector: query.inConnector, outConnector: connector,
            now: query.moment) ?? .max
    }

    private func money(_ micros: Int64) -> String { micros == .max ? "no cost is entered" : "\(micros) millionths a part" }

    // MARK: Connectors

    /// The connector that a target leads to.
    /// - Parameter alive: only one that is connected and has room.
    private func resolve(_ target: String, alive: Bool, account: String?, depth: Int = 0) -> Way? {
        if let node = plan.nodes[target] { return usable(node, alive, account) }
        guard let group = plan.groups[target] else {
            trace?.note("there is no connector \(target)")
            return nil
        }
        guard depth < ConnectorGroup.maxDepth else {
            trace?.note("the group \(target) is nested too deeply")
            return nil
        }
        switch group.kind {
        case .failover:
            for member in group.members {
                if let way = resolve(member.name, alive: alive, account: account, depth: depth + 1) { return way }
            }
            return nil
        case .loadBalancing, .leastCost:
            var ways: [(way: Way, weight: Int)] = []
            for member in group.members {
                if let way = resolve(member.name, alive: alive, account: account, depth: depth + 1) {
                    ways.append((way, member.weight))
                }
            }
            if group.kind == .leastCost, ways.count > 1 {
                let costs = ways.map { cost(of: $0.way.facts.name) }
                let least = costs.min() ?? .max
                ways = zip(ways, costs).filter { $0.1 == least }.map(\.0)
                trace?.note("the cheapest of the group \(group.name): \(money(least))")
            }
            guard !ways.isEmpty else { return nil }
            let place = draw(ways.map(\.weight), salt: group.salt)
            trace?.note("of the group \(group.name): \(ways[place].way.facts.name)")
            return ways[place].way
        }
    }

    private func usable(_ named: ConnectorNode, _ alive: Bool, _ account: String?) -> Way? {
        var node = named
        for _ in 0..<RoutingPlan.maxHops {
            guard let redirect = node.facts.redirect, let next = plan.nodes[redirect] else { break }
            trace?.note("\(node.facts.name) redirects to \(redirect)")
            node = next
        }
        func not(_ why: String) -> Way? {
            trace?.note("not \(node.facts.name): \(why)")
            return nil
        }
        guard node.facts.sends else { return not("it is disabled or cannot send") }
        guard !query.tried.contains(node.facts.name) else { return not("it has refused the message") }
        let receiver = owner(account)
        if !node.facts.isOutgoing {
            guard traffic == .mo else { return not("clients bind to it, and the message comes from one") }
            guard !receiver.isEmpty else { return not("no account is named that is to get it") }
            return Way(node: node)
        }
        if traffic == .mo {
            guard !receiver.isEmpty else { return not("no account is named that pays for it") }
            guard node.facts.name != query.inConnector else { return not("the message came from there") }
        }
        if alive {
            guard !live.down.contains(node.facts.name) else { return not("it is not connected") }
            guard !live.full.contains(node.facts.name) else { return not("its queue is full") }
        }
        if !plan.lists.isEmpty {
            let finding = plan.lists.onLeaving(
                source: query.source, destination: query.destination, account: receiver, outConnector: node.facts.name)
            if let refusal = finding.refusal { return not(refusal) }
        }
        return Way(node: node)
    }

    /// Who a message belongs to from now on: of one from a phone, the account that the route names.
    private func owner(_ named: String?) -> String { traffic == .mo ? named ?? query.account : query.account }

    private func chosen(_ way: Way, _ routeID: Int64, _ translation: NumberTranslation?, _ named: String?) -> RouteVerdict {
        let node = way.node
        var choice = RouteChoice(
            connector: node.facts.name, isDelivery: !node.facts.isOutgoing, routeID: routeID,
            account: owner(named), destination: query.destination, notes: notes)
        guard node.facts.isOutgoing else { return .go(choice) }
        if !plan.lists.isEmpty {
            choice.notes +=
                plan.lists.onLeaving(
                    source: query.source, destination: query.destination, account: choice.account, outConnector: node.facts.name
                ).notes
        }
        var sent = translation?.destination(query.destination) ?? query.destination
        sent = node.facts.numbers.apply(sent)
        if sent != query.destination {
            choice.sentDestination = sent
            trace?.note("the provider is given the destination \(sent)")
        }
        let source = node.facts.numbers.applyToSource(translation?.source ?? query.source)
        if translation?.source != nil || rewrittenSource != nil || source != query.source {
            choice.sentSource = source
            trace?.note("the provider is given the sender \(source)")
        }
        if let pool = account?.pool ?? arrival?.facts.pool, traffic == .mt {
            choice.pool = pool
            trace?.note("the sender is replaced from the pool \(pool)")
        }
        choice.reportConnector = reportConnector(node.facts)
        if let reports = choice.reportConnector { trace?.note("its reports go to \(reports)") }
        return .go(choice)
    }
    /// A report goes where the account, or the connector that brings it, says; else back to where the message came in, or where that
    /// connector's REDIRECT leads.
    /// - Returns: `nil` for where the message came in.
    private func reportConnector(_ provider: ConnectorFacts) -> String? {
        let origin = query.inConnector
        guard let wanted = account?.routeDLR ?? provider.routeDLR ?? (arrival?.facts.redirect == nil ? nil : origin) else { return nil }
        let reports = plan.deliveryConnector(plan.connectors[wanted]?.isOutgoing == false ? wanted : origin)
        return reports == origin ? nil : reports
    }
}
