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
    private let account: AccountFacts?
    private let arrival: ConnectorFacts?

    init(plan: RoutingPlan, query: RouteQuery, live: LiveState, trace: RouteTrace?) {
        self.plan = plan
        self.query = query
        self.live = live
        self.trace = trace
        account = plan.accounts.isEmpty ? nil : plan.accounts[query.account]
        arrival = plan.connectors[query.inConnector]
    }

    /// Where a target leads now.
    private struct Way {
        var facts: ConnectorFacts
    }

    /// What a provider brought comes from a phone, also where an account pays for it by now.
    private var traffic: RouteTraffic { arrival?.isOutgoing == true || query.account.isEmpty ? .mo : .mt }

    mutating func run() -> RouteVerdict {
        if query.hops > RoutingPlan.maxHops { return .refuse(.circles) }
        if let arrival, !arrival.isOutgoing, !arrival.numbers.isEmpty {
            let normalized = arrival.numbers.apply(query.destination)
            if normalized != query.destination {
                trace?.note("\(arrival.name) makes \(normalized) of the destination \(query.destination)")
            }
            query.destination = normalized
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
        if arrival?.allowsRoute == true, let named = query.options.first(where: { $0.name == "ROUTE" })?.value, !named.isEmpty {
            trace?.note("the message names its route, \(named), and \(query.inConnector) allows it")
            return (named, nil, "the message's own ROUTE is \(named)")
        }
        if let route = account?.route, !route.isEmpty {
            trace?.note("the account \(query.account) has the fixed route \(route)")
            return (route, nil, "the account's route is \(route)")
        }
        if let arrival, let route = arrival.route {
            trace?.note("\(arrival.name) has the fixed route \(route)")
            return (route, arrival.routeAccount, "ROUTE of \(arrival.name) is \(route)")
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
        return chosen(way, route: nil, account: account)
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
            index.search(query, group: account?.group, trace: trace) { rows in
                anyMatched = true
                if lacksAccount == nil, traffic == .mo {
                    lacksAccount = rows.lazy.map { index.routes[Int($0)] }.first { isWithoutAccount($0.target, $0.toAccount) }?.target
                }
                guard let (route, way) = best(of: rows, in: index, alive: alive) else { return false }
                verdict = chosen(way, route: route, account: route.toAccount)
                return true
            }
            if let verdict { return verdict }
            // Nothing to ask again where nothing matched, or nothing stands in the way but what stays there.
            guard anyMatched, !live.down.isEmpty || !live.full.isEmpty else { break }
        }
        guard anyMatched else { return .refuse(.noRoute) }
        return .refuse(lacksAccount.map { .noAccount($0) } ?? .exhausted)
    }

    /// The route of one level that is to be taken: by priority, then cost or weight, among those that lead somewhere.
    private func best(of rows: [Int32], in index: RouteIndex, alive: Bool) -> (Route, Way)? {
        if rows.count == 1 {
            let route = index.routes[Int(rows[0])]
            guard let way = resolve(route.target, alive: alive, account: route.toAccount, route: route) else { return nil }
            return (route, way)
        }
        var usable: [(route: Route, way: Way)] = []
        var priority = Int.max
        for row in rows {
            let route = index.routes[Int(row)]
            guard route.priority <= priority, let way = resolve(route.target, alive: alive, account: route.toAccount, route: route) else {
                continue
            }
            if route.priority < priority {
                usable.removeAll(keepingCapacity: true)
                priority = route.priority
            }
            usable.append((route, way))
        }
        guard usable.count > 1 else { return usable.first }
        if usable.contains(where: \.route.leastCost) {
            let costs = usable.map { cost(of: $0.way.facts.name) }
            let least = costs.min() ?? .max
            let cheapest = zip(usable, costs).filter { $0.1 == least }.map(\.0)
            trace?.note("the cheapest of \(usable.count) routes: \(money(least))")
            usable = cheapest
        }
        let place = draw(usable.map(\.route.weight), salt: 0)
        trace?.note("of \(usable.count) routes of priority \(priority), by weight: route \(usable[place].route.id)")
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
    private func resolve(_ target: String, alive: Bool, account: String?, route: Route? = nil, depth: Int = 0) -> Way? {
        if let facts = plan.connectors[target] { return usable(facts, alive, account, route) }
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
                if let way = resolve(member.name, alive: alive, account: account, route: route, depth: depth + 1) { return way }
            }
            return nil
        case .loadBalancing, .leastCost:
            var ways: [(way: Way, weight: Int)] = []
            for member in group.members {
                if let way = resolve(member.name, alive: alive, account: account, route: route, depth: depth + 1) {
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

    private func usable(_ named: ConnectorFacts, _ alive: Bool, _ account: String?, _ route: Route?) -> Way? {
        var facts = named
        for _ in 0..<RoutingPlan.maxHops {
            guard let redirect = facts.redirect, let next = plan.connectors[redirect] else { break }
            trace?.note("\(facts.name) redirects to \(redirect)")
            facts = next
        }
        func not(_ why: String) -> Way? {
            trace?.note("not \(facts.name): \(why)")
            return nil
        }
        guard facts.sends else { return not("it is disabled or cannot send") }
        guard !query.tried.contains(facts.name) else { return not("it has refused the message") }
        let receiver = owner(account)
        if !facts.isOutgoing {
            guard traffic == .mo else { return not("clients bind to it, and the message comes from one") }
            guard !receiver.isEmpty else { return not("no account is named that is to get it") }
            return Way(facts: facts)
        }
        if traffic == .mo {
            guard !receiver.isEmpty else { return not("no account is named that pays for it") }
            guard facts.name != query.inConnector else { return not("the message came from there") }
        }
        if alive {
            guard !live.down.contains(facts.name) else { return not("it is not connected") }
            guard !live.full.contains(facts.name) else { return not("its queue is full") }
        }
        if !plan.lists.isEmpty {
            let finding = plan.lists.onLeaving(
                source: query.source, destination: query.destination, account: receiver, outConnector: facts.name)
            if let refusal = finding.refusal { return not(refusal) }
        }
        return Way(facts: facts)
    }

    /// Who a message belongs to from now on: of one from a phone, the account that the route names.
    private func owner(_ named: String?) -> String { traffic == .mo ? named ?? query.account : query.account }

    private func chosen(_ way: Way, route: Route?, account named: String?) -> RouteVerdict {
        let facts = way.facts
        var choice = RouteChoice(
            connector: facts.name, isDelivery: !facts.isOutgoing, routeID: route?.id ?? 0,
            account: owner(named), destination: query.destination, notes: notes)
        guard facts.isOutgoing else { return .go(choice) }
        if !plan.lists.isEmpty {
            choice.notes +=
                plan.lists.onLeaving(
                    source: query.source, destination: query.destination, account: choice.account, outConnector: facts.name
                ).notes
        }
        var sent = route?.translation.destination(query.destination) ?? query.destination
        sent = facts.numbers.apply(sent)
        if sent != query.destination {
            choice.sentDestination = sent
            trace?.note("the provider is given the destination \(sent)")
        }
        if let source = route?.translation.source {
            choice.sentSource = source
            trace?.note("the provider is given the sender \(source)")
        }
        if let pool = account?.pool ?? arrival?.pool, traffic == .mt {
            choice.pool = pool
            trace?.note("the sender is replaced from the pool \(pool)")
        }
        // A report goes where the account, or the connector that brings it, says; else back to where the message came in.
        let origin = query.inConnector
        let wanted = account?.routeDLR ?? facts.routeDLR ?? origin
        let reports = plan.deliveryConnector(plan.connectors[wanted]?.isOutgoing == false ? wanted : origin)
        if reports != origin {
            choice.reportConnector = reports
            trace?.note("its reports go to \(reports)")
        }
        return .go(choice)
    }
}
