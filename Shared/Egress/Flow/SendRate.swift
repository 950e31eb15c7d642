/// A connector's THROUGHPUT on this instance: a token bucket that holds little, so that messages leave evenly. Pure.
public struct SendRate {
    /// What may leave at once after a pause: a fiftieth of a second's worth, so that no second holds noticeably more than its share.
    private static let burstSeconds = 0.02

    public private(set) var perSecond: Double
    private var tokens: Double
    private var filledAt: Int64

    public init(perSecond: Double, now: Int64) {
        self.perSecond = max(0.001, perSecond)
        tokens = 1
        filledAt = now
    }

    private var capacity: Double { max(1, perSecond * SendRate.burstSeconds) }

    public mutating func change(to rate: Double, now: Int64) {
        fill(now)
        perSecond = max(0.001, rate)
        tokens = min(tokens, capacity)
    }

    private mutating func fill(_ now: Int64) {
        guard now > filledAt else { return }
        tokens = min(capacity, tokens + Double(now - filledAt) * perSecond / 1_000)
        filledAt = now
    }

    /// Takes room for one message.
    /// - Returns: whether there was.
    public mutating func take(now: Int64) -> Bool {
        fill(now)
        guard tokens >= 1 else { return false }
        tokens -= 1
        return true
    }

    /// Gives back what was taken for a message that did not leave after all.
    public mutating func giveBack() { tokens = min(capacity, tokens + 1) }

    /// Milliseconds from `now` until `take` succeeds; 0 = now.
    public func wait(now: Int64) -> Int64 {
        let ready = min(capacity, tokens + Double(max(0, now - filledAt)) * perSecond / 1_000)
        return ready >= 1 ? 0 : Int64(min(60_000, ((1 - ready) * 1_000 / perSecond).rounded(.up)))
    }
}
