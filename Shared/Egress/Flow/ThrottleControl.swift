/// Finds the rate that a provider takes that says "throttled" or "queue full". Pure.
///
/// Each such answer pauses the connector for a moment, longer while nothing else is answered, and sets a limit a bit under the rate
/// that was being accepted. Without further complaints the limit rises by a tenth each second, and is forgotten after a minute.
public struct ThrottleControl {
    private static let firstPauseMilliseconds: Int64 = 100
    private static let longestPauseMilliseconds: Int64 = 5_000
    private static let forgetAfterMilliseconds: Int64 = 60_000
    private static let stepMilliseconds: Int64 = 1_000

    /// Messages a second at most; nil = the provider has not complained lately.
    public private(set) var limit: Double?
    /// Nothing is sent before.
    public private(set) var pausedUntil: Int64 = 0
    private var pause = ThrottleControl.firstPauseMilliseconds
    private var lastComplaint: Int64?
    private var lastStep: Int64 = 0
    private var accepted = 0
    private var countedSince: Int64
    /// Messages a second that the provider took lately.
    public private(set) var acceptedRate = 0.0

    public init(now: Int64) { countedSince = now }

    /// The provider took one.
    public mutating func accepted(now: Int64) {
        accepted += 1
        pause = ThrottleControl.firstPauseMilliseconds
        count(now)
    }

    /// The provider complained. Complaints about what was under way when it complained first count as one.
    public mutating func throttled(now: Int64) {
        count(now)
        guard now >= pausedUntil else { return }
        // Of the rate that it took: by the last second, or by the one that runs.
        let elapsed = max(1, now - countedSince)
        let current = elapsed >= 100 ? Double(accepted) * 1_000 / Double(elapsed) : 0
        limit = max(1, (limit.map { min($0, max(acceptedRate, current)) } ?? max(acceptedRate, current)) * 0.8)
        lastComplaint = now
        lastStep = now
        pausedUntil = now + pause
        pause = min(pause * 2, ThrottleControl.longestPauseMilliseconds)
    }

    /// To be called now and then, once a second at least.
    public mutating func tick(now: Int64) {
        count(now)
        guard let limit, let lastComplaint else { return }
        if now - lastComplaint >= ThrottleControl.forgetAfterMilliseconds {
            self.limit = nil
            self.lastComplaint = nil
        } else if now - lastStep >= ThrottleControl.stepMilliseconds {
            self.limit = limit * 1.1 + 1
            lastStep = now
        }
    }

    private mutating func count(_ now: Int64) {
        let elapsed = now - countedSince
        guard elapsed >= 1_000 else { return }
        acceptedRate = Double(accepted) * 1_000 / Double(elapsed)
        accepted = 0
        countedSince = now
    }
}
