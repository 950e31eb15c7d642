/// A rate, and how much of it is unused. Pure; times are milliseconds of a clock that never goes back.
///
/// A tenth of a second's worth may come at once: at 10 a second each message waits for its tenth, as EMG's clients know it.
package struct TokenBucket: Equatable {
    /// Messages a second; above 0.
    package private(set) var perSecond: Double
    /// Below 0 where a batch took more than there was.
    private var tokens: Double
    private var filledAt: Int64

    package init(perSecond: Double, now: Int64) {
        self.perSecond = perSecond
        tokens = TokenBucket.burst(perSecond)
        filledAt = now
    }

    private static func burst(_ perSecond: Double) -> Double { max(1, perSecond / 10) }

    private mutating func fill(_ now: Int64) {
        guard now > filledAt else { return }
        tokens = min(TokenBucket.burst(perSecond), tokens + Double(now - filledAt) / 1_000 * perSecond)
        filledAt = now
    }

    package mutating func setRate(_ perSecond: Double, now: Int64) {
        fill(now)
        self.perSecond = perSecond
        tokens = min(tokens, TokenBucket.burst(perSecond))
    }

    /// Takes `count` tokens where one is there; what it lacks is owed, and makes the next one wait longer.
    package mutating func take(_ count: Int, now: Int64) -> Bool {
        fill(now)
        // What rounding left out of a whole token is not worth another wait.
        guard tokens >= 0.999 else { return false }
        tokens -= Double(count)
        return true
    }

    package mutating func giveBack(_ count: Int) { tokens = min(TokenBucket.burst(perSecond), tokens + Double(count)) }

    /// Milliseconds until `take` succeeds; 0 = now.
    package mutating func wait(now: Int64) -> Int64 {
        fill(now)
        guard tokens < 0.999 else { return 0 }
        return Int64(((1 - tokens) / perSecond * 1_000).rounded(.up))
    }
}
