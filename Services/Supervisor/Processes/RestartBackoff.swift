/// How long to wait before a child that ended is started again: at first hardly, then longer and longer, and as
/// at first again once it has run well for a while. All times in milliseconds.
struct RestartBackoff: Sendable, Equatable {
    /// Growing, so that a child which cannot run does not occupy the machine.
    static let delays: [Int64] = [100, 300, 600, 1_200, 2_500, 5_000]
    /// A run this long forgives what was before it.
    static let goodRun: Int64 = 10_000

    private var failures = 0

    /// The child ended after it had run for `ran` milliseconds. Returns the wait before the next start.
    mutating func ended(afterRunning ran: Int64) -> Int64 {
        if ran >= RestartBackoff.goodRun { failures = 0 }
        let delay = RestartBackoff.delays[min(failures, RestartBackoff.delays.count - 1)]
        failures += 1
        return delay
    }
}
