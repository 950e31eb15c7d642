/// All that bounds how fast a connector sends: THROUGHPUT, and what its provider was found to stand. Pure.
public struct SendLimits {
    /// THROUGHPUT's part of this instance; nil = no limit.
    private var rate: SendRate?
    private var throttle: ThrottleControl
    /// Paces to what `throttle` found.
    private var pace: SendRate?

    /// - Parameter perSecond: nil = no limit.
    public init(perSecond: Double?, now: Int64) {
        rate = perSecond.map { SendRate(perSecond: $0, now: now) }
        throttle = ThrottleControl(now: now)
    }

    /// Messages a second that the provider took lately.
    public var acceptedRate: Double { throttle.acceptedRate }
    /// Messages a second at most, where the provider complained; nil = it did not.
    public var throttledTo: Double? { throttle.limit }

    public mutating func change(perSecond: Double, now: Int64) { rate?.change(to: perSecond, now: now) }

    /// Takes room for one message.
    /// - Returns: nil where there was; else the moment from which there may be.
    public mutating func take(now: Int64) -> Int64? {
        guard throttle.pausedUntil <= now else { return throttle.pausedUntil }
        let wait = max(rate?.wait(now: now) ?? 0, pace?.wait(now: now) ?? 0)
        guard wait <= 0 else { return now + wait }
        _ = rate?.take(now: now)
        _ = pace?.take(now: now)
        return nil
    }

    /// Gives back what was taken for a message that did not leave after all.
    public mutating func giveBack() {
        rate?.giveBack()
        pace?.giveBack()
    }

    public mutating func accepted(now: Int64) { throttle.accepted(now: now) }

    /// The provider complained.
    public mutating func throttled(now: Int64) {
        throttle.throttled(now: now)
        paceAnew(now)
    }

    /// To be called now and then, once a second at least.
    public mutating func tick(now: Int64) {
        throttle.tick(now: now)
        paceAnew(now)
    }

    private mutating func paceAnew(_ now: Int64) {
        guard let limit = throttle.limit else {
            pace = nil
            return
        }
        if pace == nil {
            pace = SendRate(perSecond: limit, now: now)
        } else if pace?.perSecond != limit {
            pace?.change(to: limit, now: now)
        }
    }
}
