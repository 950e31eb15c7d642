/// What waits for clients' endpoints, and whose turn it is. Pure; times are milliseconds of a clock that never goes back.
///
/// Each endpoint (an account's server) has so many requests at a time and no more; one that fails is left alone for a while, then tried
/// with one request. What waits for one that fails is put off; and, where the room gets scarce, what a slow one would take long to work
/// off: so its place is free for others.
struct WebhookBoard<Delivery> {
    struct Endpoint: Hashable, Sendable {
        var account: String
        var origin: String
    }

    private struct State {
        var waiting: [Delivery] = []
        var running = 0
        var failures = 0
        var closedUntil: Int64 = 0
        var limit: Int
        var usedAt: Int64
        /// How long its requests take, of late.
        var duration: Int64 = 0
        /// When a request began or ended last.
        var movedAt: Int64 = 0
    }

    /// Failures in a row after which an endpoint is left alone.
    private static var tolerance: Int { 3 }
    private static var longestPause: Int64 { 60_000 }
    /// What an endpoint works off within so long may wait for it where others need the room.
    private static var patience: Int64 { 5_000 }

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
        state.waiting.append(delivery)
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
        let taken = Array(state.waiting.prefix(count))
        state.waiting.removeFirst(count)
        state.running += count
        state.movedAt = now
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

    /// - Parameter started: when the request began.
    mutating func finished(_ endpoint: Endpoint, succeeded: Bool, started: Int64, now: Int64) {
        guard var state = endpoints[endpoint] else { return }
        state.running -= 1
        running -= 1
        state.duration = (3 * state.duration + (now - started)) / 4
        state.movedAt = now
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
                shed += state.waiting.map { ($0, state.closedUntil) }
                waiting -= state.waiting.count
                state.waiting.removeAll()
            } else if isScarce, state.waiting.count > Self.share(state, now) {
                let late = state.waiting[Self.share(state, now)...]
                shed += late.map { ($0, now + 10_000) }
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

    /// How many may wait: as many as it works off while one is patient.
    private static func share(_ state: State, _ now: Int64) -> Int {
        let silence = state.running > 0 ? now - state.movedAt : 0
        return max(state.limit, Int(clamping: Int64(state.limit) * patience / max(1, state.duration, silence)))
    }

    /// Takes back what is void: another instance delivers it.
    mutating func drop(where isVoid: (Delivery) -> Bool) {
        for (endpoint, state) in endpoints where !state.waiting.isEmpty {
            let left = state.waiting.filter { !isVoid($0) }
            waiting -= state.waiting.count - left.count
            endpoints[endpoint]?.waiting = left
        }
    }
}
