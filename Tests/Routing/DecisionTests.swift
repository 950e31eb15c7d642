import Routing
import Testing

/// A plan to ask: providers a to e, clients' connectors in1 and in2.
enum Plans {
    static func connectors(_ change: (inout [String: ConnectorFacts]) -> Void = { _ in }) -> [ConnectorFacts] {
        var facts = Dictionary(uniqueKeysWithValues: ["a", "b", "c", "d", "e"].map { ($0, ConnectorFacts(name: $0, isOutgoing: true)) })
        for name in ["in1", "in2"] { facts[name] = ConnectorFacts(name: name, isOutgoing: false) }
        change(&facts)
        return Array(facts.values)
    }

    static func query(
        _ destination: String, account: String = "x", from source: String = "Shop", over connector: String = "in1", text: String = "",
        options: [RouteMatch.Option] = [], tried: [String] = [], share: UInt64 = 1, now: Int64 = 0
    ) -> RouteQuery {
        RouteQuery(
            source: source, destination: destination, account: account, inConnector: connector, text: text, options: options, tried: tried,
            share: share, now: now)
    }
}

extension RouteVerdict {
    var routeID: Int64? { if case .go(let choice) = self { choice.routeID } else { nil } }
    var connector: String? { if case .go(let choice) = self { choice.connector } else { nil } }
    var choice: RouteChoice? { if case .go(let choice) = self { choice } else { nil } }
    var refusal: RouteRefusal? { if case .refuse(let refusal) = self { refusal } else { nil } }
}

@Suite struct `The most specific route` {
    /// 2026-11-21 was a Saturday; 12:00 UTC.
    static let saturdayNoon: Int64 = 1_795_262_400_000

    static let plan: RoutingPlan = {
        func route(_ id: Int64, _ match: RouteMatch, _ target: String, priority: Int = 0) -> Route {
            Route(id: id, match: match, target: target, priority: priority)
        }
        return RoutingPlan(
            routes: [
                route(1, RouteMatch(), "a"), route(2, RouteMatch(prefix: "46"), "b"), route(3, RouteMatch(prefix: "4670"), "c"),
                route(4, RouteMatch(prefix: "46", account: "acme"), "d"), route(5, RouteMatch(prefix: "467", inConnector: "in2"), "e"),
                route(6, RouteMatch(prefix: "44"), "a", priority: 1), route(7, RouteMatch(prefix: "44"), "b", priority: 2),
                route(8, RouteMatch(prefix: "49"), "gone"), route(10, RouteMatch(prefix: "46", group: "gold"), "e"),
                route(11, RouteMatch(source: "Acme"), "c"), route(12, RouteMatch(source: "4670*"), "d"),
                route(13, RouteMatch(source: "467012*"), "e"), route(14, RouteMatch(keyword: "stop"), "b"),
                route(15, RouteMatch(pattern: try? BodyPattern("code \\d{4}")), "c"),
                route(16, RouteMatch(option: .init(name: "TLV:0x1400", value: "0A")), "d"),
                route(17, RouteMatch(option: .init(name: "TLV:0x1500", value: nil)), "e"),
                route(18, RouteMatch(prefix: "45", schedule: try? RouteSchedule("Sa,Su")), "e"), route(19, RouteMatch(prefix: "451"), "b"),
                route(20, RouteMatch(traffic: .any, keyword: "both"), "e"),
            ], connectors: Plans.connectors(), accounts: ["golden": AccountFacts(group: "gold"), "acme": AccountFacts(group: "gold")])
    }()

    @Test(
        arguments: [
            ("anything goes by the empty prefix", Plans.query("33123"), 1), ("the longer prefix wins", Plans.query("46712"), 2),
            ("the longest prefix wins", Plans.query("4670123"), 3), ("a plus sign makes no difference", Plans.query("+4670123"), 3),
            ("the account wins over a longer prefix", Plans.query("4670123", account: "acme"), 4),
            ("the incoming connector wins over a longer prefix", Plans.query("4670123", over: "in2"), 5),
            ("the account wins over the incoming connector", Plans.query("4670123", account: "acme", over: "in2"), 4),
            ("the group wins over the incoming connector", Plans.query("4670123", account: "golden", over: "in2"), 10),
            ("the smaller priority is tried first", Plans.query("441"), 6),
            ("a connector that refused is passed over", Plans.query("441", tried: ["a"]), 7),
            ("where a level has nothing left the next one is asked", Plans.query("461", tried: ["b"]), 1),
            ("a route to a connector that is not there is passed over", Plans.query("491"), 1),
            ("a name as destination matches the empty prefix only", Plans.query("INFO"), 1),
            ("the sender wins over the prefix, case and all", Plans.query("4670123", from: "ACME"), 11),
            ("the beginning of a sender", Plans.query("4670123", from: "4670999"), 12),
            ("the longer beginning of a sender wins", Plans.query("4670123", from: "+46701234"), 13),
            ("the first word is the keyword", Plans.query("4670123", text: "  Stop, please"), 14),
            ("a keyword is a whole word", Plans.query("4670123", text: "stopping"), 3),
            ("a regular expression is found anywhere", Plans.query("4670123", text: "Your CODE 1234 is secret"), 15),
            ("the keyword wins over the regular expression", Plans.query("4670123", text: "stop code 1234"), 14),
            ("the sender wins over the keyword", Plans.query("4670123", from: "Acme", text: "stop"), 11),
            ("a TLV with its value", Plans.query("1", options: [.init(name: "TLV:0x1400", value: "0A")]), 16),
            ("a TLV with another value", Plans.query("1", options: [.init(name: "TLV:0x1400", value: "0B")]), 1),
            ("a TLV of any value", Plans.query("1", options: [.init(name: "TLV:0x1500", value: "FF")]), 17),
            ("a time wins over a longer prefix", Plans.query("4512", now: saturdayNoon), 18),
            ("at another time it does not count", Plans.query("4512", now: saturdayNoon + 2 * 86_400_000), 19),
            ("a route for both ways", Plans.query("4670123", text: "both"), 20),
        ] as [(String, RouteQuery, Int64)])
    func decides(name: String, query: RouteQuery, expected: Int64) {
        let verdict = `The most specific route`.plan.decide(query)
        #expect(verdict.routeID == expected, "\(name): \(verdict)")
        let explained = `The most specific route`.plan.explain(query)
        #expect(explained.verdict == verdict, "the explanation of \(name)")
        #expect(!explained.steps.isEmpty)
    }

    @Test func `an account's own routing file replaces the general one, and not the table`() {
        var general = Route(id: 1, match: RouteMatch(prefix: "46"), target: "a")
        general.isFromGeneralFile = true
        let own = Route(id: 2, match: RouteMatch(prefix: "47", account: "acme"), target: "b")
        let byHand = Route(id: 3, match: RouteMatch(prefix: "48"), target: "c")
        let plan = RoutingPlan(
            routes: [general, own, byHand], connectors: Plans.connectors(), accounts: ["acme": AccountFacts(hasOwnRouting: true)])
        #expect(plan.decide(Plans.query("46")).routeID == 1)
        #expect(plan.decide(Plans.query("46", account: "acme")).refusal == .noRoute)
        #expect(plan.decide(Plans.query("47", account: "acme")).routeID == 2)
        #expect(plan.decide(Plans.query("48", account: "acme")).routeID == 3)
        #expect(plan.explain(Plans.query("46", account: "acme")).steps.contains { $0.contains("routing file of its own") })
    }

    @Test func `where everything was tried nothing is left, and where nothing matches there is no route`() {
        let plan = RoutingPlan(
            routes: [
                Route(id: 1, match: RouteMatch(prefix: "46"), target: "a"), Route(id: 2, match: RouteMatch(prefix: "46"), target: "b"),
            ],
            connectors: Plans.connectors())
        #expect(plan.decide(Plans.query("46", tried: ["a", "b"])).refusal == .exhausted)
        #expect(plan.decide(Plans.query("45")).refusal == .noRoute)
        var circling = Plans.query("46")
        circling.hops = 9
        #expect(plan.decide(circling).refusal == .circles)
    }
}

@Suite struct `Shares of traffic` {
    static let plan = RoutingPlan(
        routes: [
            Route(id: 1, match: RouteMatch(), target: "a", weight: 3), Route(id: 2, match: RouteMatch(), target: "b", weight: 1),
            Route(id: 3, match: RouteMatch(), target: "c", weight: 0),
        ], connectors: Plans.connectors())

    @Test func `follow the weights, and the same message goes the same way on every instance`() {
        var count = [Int64: Int]()
        for msgid in Int64(0)..<4_000 {
            let query = Plans.query("1", share: RouteShare.message(900_000_000_000 << 22 | msgid))
            let id = Self.plan.decide(query).routeID ?? 0
            #expect(Self.plan.decide(query).routeID == id)
            count[id, default: 0] += 1
        }
        #expect((2_850...3_150).contains(count[1] ?? 0))
        #expect((count[1] ?? 0) + (count[2] ?? 0) == 4_000, "a weight of 0 gets nothing while another is left")
        #expect(Self.plan.decide(Plans.query("1", tried: ["a", "b"])).routeID == 3)
    }

    @Test func `keep the parts of one message together, and spread the messages`() {
        var ways = Set<Int64?>()
        for reference in UInt16(0)..<200 {
            let share = RouteShare.part(account: "x", source: "Shop", destination: "1", reference: reference, isWide: false)
            ways.insert(Self.plan.decide(Plans.query("1", share: share)).routeID)
            #expect(share == RouteShare.part(account: "x", source: "Shop", destination: "1", reference: reference, isWide: false))
        }
        #expect(ways == [1, 2])
    }

    @Test func `leave a connector out that is down or full, and take it where there is no other`() {
        let live = LiveState(down: ["a"])
        #expect(Self.plan.decide(Plans.query("1"), live).routeID == 2)
        #expect(Self.plan.decide(Plans.query("1"), LiveState(down: ["a"], full: ["b"])).routeID == 3)
        let all = LiveState(down: ["a", "b"], full: ["c"])
        #expect(Self.plan.decide(Plans.query("1", share: 7), all).routeID == Self.plan.decide(Plans.query("1", share: 7)).routeID)
    }

    @Test func `a connector that is down gives way to a less specific route`() {
        let plan = RoutingPlan(
            routes: [Route(id: 1, match: RouteMatch(prefix: "46"), target: "a"), Route(id: 2, match: RouteMatch(), target: "b")],
            connectors: Plans.connectors())
        #expect(plan.decide(Plans.query("46"), LiveState(down: ["a"])).routeID == 2)
        #expect(plan.decide(Plans.query("46"), LiveState(down: ["a", "b"])).routeID == 1)
    }
}

@Suite struct `The cheapest route` {
    static let plan = RoutingPlan(
        routes: [
            Route(id: 1, match: RouteMatch(), target: "a", leastCost: true), Route(id: 2, match: RouteMatch(), target: "b"),
            Route(id: 3, match: RouteMatch(), target: "c"), Route(id: 4, match: RouteMatch(), target: "d", priority: 1),
        ], connectors: Plans.connectors(),
        costs: CostTable([
            .init(scope: RowScope(outConnector: "a"), micros: 30_000), .init(scope: RowScope(outConnector: "b"), micros: 40_000),
            .init(scope: RowScope(prefix: "46", outConnector: "b"), micros: 20_000),
            .init(scope: RowScope(prefix: "47", outConnector: "b"), micros: 10_000, validUntil: 1_000),
            .init(scope: RowScope(outConnector: "d"), micros: 1),
        ]))

    @Test(
        arguments: [
            ("the cheaper one", Plans.query("1"), 1), ("cheaper by prefix", Plans.query("46"), 2),
            ("a price that is over does not count", Plans.query("47", now: 1_000), 1), ("one that is valid does", Plans.query("47"), 2),
            ("the next cheapest where one has refused", Plans.query("46", tried: ["b"]), 1),
            ("one without a cost comes last", Plans.query("46", tried: ["a", "b"]), 3),
            ("priority comes before cost", Plans.query("46", tried: ["a", "b", "c"]), 4),
        ] as [(String, RouteQuery, Int64)])
    func decides(name: String, query: RouteQuery, expected: Int64) {
        #expect(Self.plan.decide(query).routeID == expected, "\(name)")
    }
}

@Suite struct `Connector groups` {
    static func plan(_ groups: [ConnectorGroup]) -> RoutingPlan {
        RoutingPlan(
            routes: [Route(id: 1, match: RouteMatch(), target: "g")], connectors: Plans.connectors(), groups: groups,
            costs: CostTable([
                .init(scope: RowScope(outConnector: "a"), micros: 3), .init(scope: RowScope(outConnector: "b"), micros: 2),
            ]))
    }

    @Test func `failover takes the first that is available`() {
        let plan = Self.plan([ConnectorGroup(name: "g", kind: .failover, members: [.init(name: "b"), .init(name: "a")])])
        #expect(plan.decide(Plans.query("1")).connector == "b")
        #expect(plan.decide(Plans.query("1", tried: ["b"])).connector == "a")
        #expect(plan.decide(Plans.query("1"), LiveState(down: ["b"])).connector == "a")
        #expect(plan.decide(Plans.query("1"), LiveState(down: ["a", "b"])).connector == "b")
        #expect(plan.decide(Plans.query("1", tried: ["a", "b"])).refusal == .exhausted)
    }

    @Test func `load balancing shares by weight, as two to one`() {
        let plan = Self.plan([ConnectorGroup(name: "g", kind: .loadBalancing, members: [.init(name: "a", weight: 2), .init(name: "b")])])
        let ways = (UInt64(0)..<3_000).map { plan.decide(Plans.query("1", share: $0)).connector }
        #expect((1_900...2_100).contains(ways.count { $0 == "a" }))
        #expect(ways.allSatisfy { $0 == "a" || $0 == "b" })
        #expect(plan.decide(Plans.query("1", tried: ["a"])).connector == "b")
    }

    @Test func `the cheapest member, and groups within groups`() {
        let cheapest = ConnectorGroup(name: "cheap", kind: .leastCost, members: [.init(name: "a"), .init(name: "b")])
        let plan = Self.plan([cheapest, ConnectorGroup(name: "g", kind: .failover, members: [.init(name: "cheap"), .init(name: "c")])])
        #expect(plan.decide(Plans.query("1")).connector == "b")
        #expect(plan.decide(Plans.query("1", tried: ["b"])).connector == "a")
        #expect(plan.decide(Plans.query("1", tried: ["a", "b"])).connector == "c")
    }

    @Test func `a group that holds itself ends, and leads nowhere`() {
        let plan = Self.plan([ConnectorGroup(name: "g", kind: .loadBalancing, members: [.init(name: "g")])])
        #expect(plan.decide(Plans.query("1")).refusal == .exhausted)
    }
}

@Suite struct `Fixed routes` {
    static func plan(_ change: @escaping (inout [String: ConnectorFacts]) -> Void, _ accounts: [String: AccountFacts] = [:]) -> RoutingPlan
    {
        RoutingPlan(
            routes: [Route(id: 1, match: RouteMatch(traffic: .any), target: "a", toAccount: "payer")], connectors: Plans.connectors(change),
            accounts: accounts, groups: [ConnectorGroup(name: "g", kind: .failover, members: [.init(name: "d"), .init(name: "e")])])
    }

    @Test func `the message's own route counts only where the connector allows it`() {
        let named = Plans.query("1", options: [.init(name: "ROUTE", value: "c")])
        #expect(Self.plan { _ in }.decide(named).connector == "a")
        #expect(Self.plan { $0["in1"]?.allowsRoute = true }.decide(named).connector == "c")
        #expect(
            Self.plan { $0["in1"]?.allowsRoute = true }.decide(Plans.query("1", options: [.init(name: "ROUTE", value: "z")])).refusal?
                .description.contains("ROUTE is z") == true)
    }

    @Test func `the message's comes before the account's, that before the connector's, that before the table`() {
        let plan = Self.plan(
            {
                $0["in1"]?.allowsRoute = true
                $0["in1"]?.route = "b"
            }, ["vip": AccountFacts(route: "g")])
        #expect(plan.decide(Plans.query("1")).connector == "b")
        #expect(plan.decide(Plans.query("1", account: "vip")).connector == "d")
        #expect(plan.decide(Plans.query("1", account: "vip", options: [.init(name: "ROUTE", value: "c")])).connector == "c")
        #expect(plan.decide(Plans.query("1", account: "vip", tried: ["d"])).connector == "e")
        #expect(plan.decide(Plans.query("1", account: "vip", tried: ["d", "e"])).refusal == .exhausted)
    }

    @Test func `a redirected connector sends nothing itself`() {
        let plan = Self.plan {
            $0["a"]?.redirect = "b"
            $0["b"]?.redirect = "c"
        }
        #expect(plan.decide(Plans.query("1")).connector == "c")
    }

    @Test func `reports go where the account says, or the provider's connector, or back; and on from there by REDIRECT`() {
        func reports(_ plan: RoutingPlan, _ account: String) -> String? {
            plan.decide(Plans.query("1", account: account)).choice?.reportConnector
        }
        #expect(reports(Self.plan { _ in }, "x") == nil)
        #expect(reports(Self.plan({ _ in }, ["web": AccountFacts(routeDLR: "in2")]), "web") == "in2")
        #expect(reports(Self.plan { $0["a"]?.routeDLR = "in2" }, "x") == "in2")
        #expect(reports(Self.plan { $0["in1"]?.redirect = "in2" }, "x") == "in2")
        #expect(reports(Self.plan({ _ in }, ["web": AccountFacts(routeDLR: "nowhere")]), "web") == nil)
    }
}

@Suite struct `Messages from phones` {
    static let plan = RoutingPlan(
        routes: [
            Route(id: 1, match: RouteMatch(), target: "a"),
            Route(id: 2, match: RouteMatch(prefix: "72345", traffic: .mo), target: "in1", toAccount: "acme"),
            Route(id: 3, match: RouteMatch(prefix: "72345", traffic: .mo, keyword: "vote"), target: "in2", toAccount: "tv"),
            Route(id: 4, match: RouteMatch(prefix: "99", traffic: .mo), target: "b", toAccount: "payer"),
            Route(id: 5, match: RouteMatch(prefix: "98", traffic: .mo), target: "in1"),
        ], connectors: Plans.connectors())

    @Test(
        arguments: [
            ("a number of an account", "72345", "Hello", 2, "in1", "acme"), ("a keyword on it", "72345", "VOTE 7", 3, "in2", "tv"),
            ("out again, at somebody's cost", "991", "Hello", 4, "b", "payer"),
        ] as [(String, String, String, Int64, String, String)])
    func findTheirAccount(name: String, number: String, text: String, route: Int64, connector: String, account: String) {
        let choice = Self.plan.decide(Plans.query(number, account: "", from: "46701", over: "a", text: text)).choice
        #expect(choice?.routeID == route && choice?.connector == connector && choice?.account == account, "\(name)")
        #expect(choice?.isDelivery == connector.hasPrefix("in"))
    }

    @Test func `never go by a route for accounts, back to where they came from, or to nobody`() {
        #expect(Self.plan.decide(Plans.query("1", account: "", over: "a")).refusal == .noRoute)
        #expect(Self.plan.decide(Plans.query("991", account: "", over: "b")).refusal == .exhausted)
        #expect(Self.plan.decide(Plans.query("981", account: "", over: "a")).refusal == .noAccount("in1"))
        #expect(Self.plan.decide(Plans.query("72345")).routeID == 1, "an account's message to that number is no message from a phone")
    }

    @Test func `follow ROUTE of their connector to the account that ROUTEUSER names`() {
        let plan = RoutingPlan(
            routes: [],
            connectors: Plans.connectors {
                $0["a"]?.route = "in1"
                $0["a"]?.routeAccount = "acme"
                $0["b"]?.route = "in1"
            })
        let choice = plan.decide(Plans.query("1", account: "", over: "a")).choice
        #expect(choice?.connector == "in1" && choice?.account == "acme" && choice?.isDelivery == true)
        #expect(plan.decide(Plans.query("1", account: "", over: "b")).refusal == .noAccount("in1"))
    }
}
