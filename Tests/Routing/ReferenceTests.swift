import Routing
import Testing

/// Decisions against a reference that is slow and obvious: look at every route, drop what does not match, sort by the rules as
/// docs/routing.md states them, and take the first that is usable.
@Suite struct `The index decides as the rules say` {
    /// A generator whose run can be repeated.
    struct SplitMix: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var value = state
            value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
            value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
            return value ^ (value >> 31)
        }
    }

    static let accounts = ["x": AccountFacts(group: "gold"), "y": AccountFacts(group: "silver"), "z": AccountFacts()]
    static let names = ["a", "b", "c", "d", "e", "gone"]

    static func maybe<T>(_ values: [T], _ percent: Int, _ generator: inout SplitMix) -> T? {
        Int.random(in: 0..<100, using: &generator) < percent ? values.randomElement(using: &generator) : nil
    }

    static func digits(_ count: ClosedRange<Int>, _ generator: inout SplitMix) -> String {
        // Few digits, so that prefixes meet.
        String((0..<Int.random(in: count, using: &generator)).map { _ in "467".randomElement(using: &generator) ?? "4" })
    }

    static func route(_ id: Int64, _ generator: inout SplitMix) -> Route {
        var match = RouteMatch(prefix: digits(0...4, &generator))
        match.account = maybe(["x", "y"], 20, &generator)
        match.group = maybe(["gold", "silver"], 20, &generator)
        match.inConnector = maybe(["in1", "in2"], 20, &generator)
        match.source = maybe(["Shop", "46*", "467*", "shop"], 20, &generator)
        match.keyword = maybe(["stop", "go"], 15, &generator)
        match.pattern = maybe(["o", "\\d"], 15, &generator).flatMap { try? BodyPattern($0) }
        match.option = maybe([.init(name: "P", value: "1"), .init(name: "P", value: nil)], 15, &generator)
        match.schedule = maybe(["Sa", "Mo-Fr"], 15, &generator).flatMap { try? RouteSchedule($0) }
        return Route(
            id: id, match: match, target: names.randomElement(using: &generator) ?? "a", priority: Int.random(in: 0...2, using: &generator))
    }

    static func matches(_ match: RouteMatch, _ query: RouteQuery) -> Bool {
        let word = query.text.split(separator: " ").first.map { $0.lowercased() } ?? ""
        let sender = query.source.lowercased()
        return query.destination.hasPrefix(match.prefix) && (match.account == nil || match.account == query.account)
            && (match.group == nil || match.group == accounts[query.account]?.group)
            && (match.inConnector == nil || match.inConnector == query.inConnector)
            && (match.source.map { $0.hasSuffix("*") ? sender.hasPrefix($0.lowercased().dropLast()) : sender == $0.lowercased() } ?? true)
            && (match.keyword == nil || match.keyword == word)
            && (match.pattern.map { $0.text == "o" ? query.text.contains("o") : query.text.contains(where: \.isNumber) } ?? true)
            && (match.option.map { wanted in query.options.contains { $0.name == wanted.name && (wanted.value ?? $0.value) == $0.value } }
                ?? true)
            && (match.schedule.map { $0.contains(query.moment) } ?? true)
    }

    /// Larger is more specific, compared from left to right.
    static func rank(_ match: RouteMatch) -> [Int] {
        let isBeginning = match.source?.hasSuffix("*") == true
        let conditions: [Bool] = [
            match.account != nil, match.group != nil, match.inConnector != nil, match.source != nil && !isBeginning, isBeginning,
            match.keyword != nil, match.pattern != nil, match.option != nil, match.schedule != nil,
        ]
        return conditions.map { $0 ? 1 : 0 } + [isBeginning ? match.source?.count ?? 0 : 0, match.prefix.count]
    }

    /// The ids of the routes that may be taken: several where they share traffic.
    static func reference(_ routes: [Route], _ query: RouteQuery, _ live: LiveState) -> (allowed: Set<Int64>, any: Bool) {
        let matching = routes.filter { matches($0.match, query) }
        for alive in [true, false] {
            let usable = matching.filter {
                $0.target != "gone" && !query.tried.contains($0.target) && (!alive || !live.down.contains($0.target))
            }
            guard let first = usable.max(by: { rank($0.match).lexicographicallyPrecedes(rank($1.match)) }) else { continue }
            let level = usable.filter { rank($0.match) == rank(first.match) && equalNames($0.match, first.match) }
            // Of two routes with one rank that name different things (two senders' beginnings of one length) only one can match.
            let best = level.map(\.priority).min() ?? 0
            return (Set(level.filter { $0.priority == best }.map(\.id)), true)
        }
        return ([], !matching.isEmpty)
    }

    static func equalNames(_ left: RouteMatch, _ right: RouteMatch) -> Bool { left.source?.lowercased() == right.source?.lowercased() }

    @Test(arguments: [1, 2, 3, 4] as [UInt64])
    func `over random tables`(seed: UInt64) {
        var generator = SplitMix(state: seed)
        var decided = 0
        for _ in 0..<60 {
            let routes = (1...Int64.random(in: 1...60, using: &generator)).map { Self.route($0, &generator) }
            let plan = RoutingPlan(routes: routes, connectors: Plans.connectors(), accounts: Self.accounts)
            for _ in 0..<50 {
                let query = RouteQuery(
                    source: ["Shop", "4671", "46", "Bank"].randomElement(using: &generator) ?? "",
                    destination: Self.digits(1...6, &generator), account: ["x", "y", "z"].randomElement(using: &generator) ?? "",
                    inConnector: ["in1", "in2"].randomElement(using: &generator) ?? "",
                    text: ["stop 1", "go", "hello", "x 5", ""].randomElement(using: &generator) ?? "",
                    options: [[], [.init(name: "P", value: "1")], [.init(name: "P", value: "2")]].randomElement(using: &generator) ?? [],
                    tried: Self.maybe(["a", "b"], 30, &generator).map { [$0] } ?? [], share: generator.next(),
                    now: 1_795_262_400_000 + Int64.random(in: 0..<7, using: &generator) * 86_400_000)
                let live = LiveState(down: Set(Self.maybe(["c", "d"], 30, &generator).map { [$0] } ?? []))
                let (allowed, any) = Self.reference(routes, query, live)
                switch plan.decide(query, live) {
                case .go(let choice):
                    #expect(allowed.contains(choice.routeID), "seed \(seed): \(query) took \(choice.routeID), not one of \(allowed)")
                    decided += 1
                case .refuse(let refusal):
                    #expect(allowed.isEmpty, "seed \(seed): \(query) was refused, not sent by \(allowed)")
                    #expect(refusal == (any ? .exhausted : .noRoute))
                }
                #expect(plan.explain(query, live).verdict == plan.decide(query, live))
            }
        }
        #expect(decided > 500, "most questions have an answer")
    }
}
