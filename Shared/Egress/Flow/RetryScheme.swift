public import Configuration

/// When a message is tried again that met a passing error. Pure.
public enum RetryScheme {
    public enum Decision: Equatable, Sendable {
        case again(at: Int64)
        /// Its validity period ends before the next attempt is due.
        case expired
        /// Every attempt is used up.
        case failed
    }

    /// - Parameters:
    ///   - attempts: how many have failed, this one included.
    ///   - expiresAt: end of validity in milliseconds since 1970; 0 = none.
    public static func decide(_ plan: RetryPlan, attempts: UInt32, expiresAt: Int64, now: Int64) -> Decision {
        guard attempts > 0, Int(attempts) < plan.maximumAttempts, let last = plan.waitsMilliseconds.last else { return .failed }
        let index = Int(attempts) - 1
        let due = now + (plan.waitsMilliseconds.indices.contains(index) ? plan.waitsMilliseconds[index] : last)
        return expiresAt > 0 && expiresAt <= due ? .expired : .again(at: due)
    }
}
