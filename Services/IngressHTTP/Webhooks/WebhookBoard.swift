/// What waits for clients' endpoints, and whose turn it is. Pure; times are milliseconds of a clock that never goes back.
///
/// Each endpoint (an account's server) has so many requests at a time and no more; one that fails is left alone for a while, then tried
/// with one request. What waits for one that fails or is slow is put off, so that its place is free for others.
struct WebhookBoard<Delivery> {
    struct Endpoint: Hashable, Sendable {
        var account: String
        var origin: String
    }

    private struct State {
        var waiting: [(delivery: Delivery, since: Int64)] = []
        var running = 0
        var failures = 0
        var closedUntil: Int64 = 0
        var limit: Int
        var usedAt: Int64
    }

    /// Failures in a row after which an endpoint is left alone.
    private static var tolerance: Int { 3 }
    private static var longestPause: Int64 { 60_000 }
    /// So long something may wait where others need the room.
    private static var slowAfter: Int64 { 2_000 }

    /// Deliveries that may be here at a time.
    private let capacity: Int
    private var endpoints: [Endpoint: State] = [:]
    private var runningOfAccount: [String: Int] = [:]
    private(set) var waiting = 0
    private(set) var running = 0

    init(capacity: Int) { self.capacity = capacity }

    /// - Parameter limit: requests at a time.
    /// - Returns: nil where it waits; else the delivery is to be put off until then, for the endpoint is left alone.
    mutating func add(_ delivery: Delivery, to endpoint: Endpoint, limit: Int, now: Int64) -> Int64? {
        var state = endpoints[endpoint] ?? State(limit: limit, usedAt: now)
        state.limit = limit
        state.usedAt = now
        if state.closedUntil > now {
            endpoints[endpoint] = state
            return state.closedUntil
        }
        state.waiting.append((delivery, now))
        endpoints[endpoint] = state
        waiting += 1
        return nil
    }

    /// What may go to an endpoint now.
    mutating func take(_ endpoint: Endpoint, now: Int64) -> [Delivery] {
        guard var state = endpoints[endpoint], state.closedUntil <= now else { return [] }
        // After a pause one request finds out.
        let limit = state.failures >= Self.tolerance ? 1 : state.limit
        // An account may name many servers, and is still one account.
        let ofAccount = max(0, state.limit * 4 - runningOfAccount[endpoint.account, default: 0])
        let count = min(state.waiting.count, max(0, limit - state.running), ofAccount)
        guard count > 0 else { return [] }
        let taken = state.waiting.prefix(count).map(\.delivery)
        state.waiting.removeFirst(count)
        state.running += count
        endpoints[endpoint] = state
        runningOfAccount[endpoint.account, default: 0] += count
        waiting -= count
        running += count
        return taken
    }

    /// Endpoints of an account at which something waits.
    func waitingEndpoints(of account: String) -> [Endpoint] {
        endpoints.filter { $0.key.account == account && !$0.value.waiting.isEmpty }.map(\.key)
    }

    mutating func finished(_ endpoint: Endpoint, succeeded: Bool, now: Int64) {
        guard var state = endpoints[endpoint] else { return }
        state.running -= 1
        running -= 1
        let left = (runningOfAccount[endpoint.account] ?? 1) - 1
        runningOfAccount[endpoint.account] = left > 0 ? left : nil
        if succeeded {
            state.failures = 0
            state.closedUntil = 0
        } else {
            state.failures += 1
            let over = state.failures - Self.tolerance
            if over >= 0 { state.closedUntil = now + min(Self.longestPause, 1_000 << Int64(min(over, 6))) }
        }
        state.usedAt = now
        endpoints[endpoint] = state
    }

    /// What is to be put off: everything for endpoints that are left alone; and, where the room gets scarce, what waits for slow ones.
    /// - Returns: each with the time until which it is put off.
    mutating func shed(now: Int64) -> [(delivery: Delivery, until: Int64)] {
        var shed: [(delivery: Delivery, until: Int64)] = []
        let isScarce = waiting + running > capacity / 2
        for (endpoint, state) in endpoints {
            var state = state
            if state.closedUntil > now {
                shed += state.waiting.map { ($0.delivery, state.closedUntil) }
                waiting -= state.waiting.count
                state.waiting.removeAll()
            } else if isScarce, let first = state.waiting.first, now - first.since > Self.slowAfter, state.waiting.count > state.limit {
                let late = state.waiting[state.limit...]
                shed += late.map { ($0.delivery, now + 10_000) }
                waiting -= late.count
                state.waiting.removeLast(late.count)
            } else if state.waiting.isEmpty, state.running == 0, now - state.usedAt > 10 * Self.longestPause {
                endpoints[endpoint] = nil
                continue
            }
            endpoints[endpoint] = state
        }
        return shed
    }

    /// Takes back what is void: another instance delivers it.
    mutating func drop(where isVoid: (Delivery) -> Bool) {
        for (endpoint, state) in endpoints where !state.waiting.isEmpty {
            let left = state.waiting.filter { !isVoid($0.delivery) }
            waiting -= state.waiting.count - left.count
            endpoints[endpoint]?.waiting = left
        }
    }
}
