/// When a stage under load writes its next transaction. Pure.
///
/// A transaction costs about the same whether it holds one record or a thousand: six requests to the broker, a sync of its disk, and up to a
/// millisecond in which librdkafka's main thread spins until its timer is due. So once transactions hold more than a few records, the
/// next waits until `interval` after the last: then it holds many. Where little is to be done, each goes at once, and nothing waits.
struct CommitPace: Equatable {
    /// From this many records in a transaction on the stage counts as busy.
    static let busyFrom = 12

    /// From the start of one transaction to that of the next, when busy.
    let interval: Duration
    private var last: ContinuousClock.Instant?
    private var isBusy = false

    init(interval: Duration) { self.interval = interval }

    /// A transaction with so many records begins.
    mutating func began(records: Int, at now: ContinuousClock.Instant) {
        isBusy = records >= Self.busyFrom
        last = now
    }

    /// How long the next one still waits; zero where it may begin.
    func wait(at now: ContinuousClock.Instant) -> Duration {
        guard isBusy, interval > .zero, let last else { return .zero }
        return max(.zero, last + interval - now)
    }
}
