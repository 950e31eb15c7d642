/// When each message of a load at a fixed rate is due.
///
/// A message is timed from the moment at which it was due, not from that at which it could be sent: else a gateway that stalls would look
/// fast, because nobody asks it anything meanwhile.
public struct Pace: Sendable, Equatable {
    public let perSecond: Double
    /// Nanoseconds, on any clock.
    public let start: Int64

    /// - Parameter perSecond: above 0; anything else counts as one a second.
    public init(perSecond: Double, start: Int64) {
        self.perSecond = perSecond > 0 ? perSecond : 1
        self.start = start
    }

    /// When message `number` (from 0) is due.
    public func due(_ number: Int) -> Int64 { start + Int64((Double(number) * 1_000_000_000 / perSecond).rounded()) }

    /// How many messages are due by `now`.
    public func count(at now: Int64) -> Int {
        guard now >= start else { return 0 }
        return Int((Double(now - start) * perSecond / 1_000_000_000).rounded(.down)) + 1
    }
}
