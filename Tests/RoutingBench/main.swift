import Foundation
import Routing

// Decisions per second over tables of 10, 1,000 and 100,000 routes, and what it takes to build them.
// A tenth of the routes is an account's own, a tenth names the incoming connector; prefixes have 1 to 7 digits.

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

let providers = (0..<20).map { "provider\($0)" }
let connectors =
    providers.map { ConnectorFacts(name: $0, isOutgoing: true) } + (0..<4).map { ConnectorFacts(name: "in\($0)", isOutgoing: false) }

func digits(_ count: Int, _ generator: inout SplitMix) -> String {
    String((0..<count).map { _ in Character(String(Int.random(in: 0...9, using: &generator))) })
}

func routes(_ count: Int, content: Bool, _ generator: inout SplitMix) -> [Route] {
    (0..<count).map { index in
        var match = RouteMatch(prefix: index == 0 ? "" : digits(Int.random(in: 1...7, using: &generator), &generator))
        if index > 0 {
            switch Int.random(in: 0..<10, using: &generator) {
            case 0: match.account = "account\(Int.random(in: 0..<500, using: &generator))"
            case 1: match.inConnector = "in\(Int.random(in: 0..<4, using: &generator))"
            case 2 where content: match.source = digits(4, &generator) + "*"
            case 3 where content: match.keyword = "word\(Int.random(in: 0..<1_000, using: &generator))"
            default: break
            }
        }
        return Route(
            id: Int64(index), match: match, target: providers[Int.random(in: 0..<providers.count, using: &generator)],
            priority: Int.random(in: 0...1, using: &generator))
    }
}

func queries(_ generator: inout SplitMix) -> [RouteQuery] {
    (0..<10_000).map { number in
        RouteQuery(
            source: digits(8, &generator), destination: digits(11, &generator),
            account: "account\(Int.random(in: 0..<500, using: &generator))", inConnector: "in\(Int.random(in: 0..<4, using: &generator))",
            text: "word\(Int.random(in: 0..<2_000, using: &generator)) and more", share: UInt64(number))
    }
}

/// CPU time of this thread: other work on the machine takes the processor away, and that is not ours.
func seconds(_ body: () -> Void) -> Double {
    func now() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
    let start = now()
    body()
    return now() - start
}

let sizes = [10, 1_000, 100_000]
for content in [false, true] {
    print(content ? "with conditions on sender and keyword:" : "by prefix, account and incoming connector:")
    var base = 0.0
    for size in sizes {
        var generator = SplitMix(state: 20_261_121)
        let rows = routes(size, content: content, &generator)
        let asked = queries(&generator)
        var plan = RoutingPlan(routes: [], connectors: connectors)
        let building = seconds { plan = RoutingPlan(routes: rows, connectors: connectors) }
        var found = 0
        func round() { for query in asked { if case .go = plan.decide(query) { found += 1 } } }
        round()
        // The median of several rounds; the fastest is what the machine does when nobody else is on it.
        let rounds = (0..<25).map { _ in seconds(round) / Double(asked.count) }.sorted()
        let each = rounds[rounds.count / 2]
        if base == 0 { base = each }
        guard found > 0 else { fatalError("nothing was decided") }
        print(
            String(
                format:
                    "%7d routes: %5.2f microseconds a decision (%.2f at best), %9.0f a second, %4.2f times the smallest table; built in %.3f s",
                size, each * 1e6, rounds[0] * 1e6, 1 / each, each / base, building))
    }
}
