/// When a stage under load writes its next transaction. Pure.
///
/// A transaction costs about the same whether it holds one record or a thousand: six requests to the broker, a sync of its disk, and up to a
/// millisecond in which librdkafka's main thread spins until its timer is due. So once transactions hold more than a few records, the
/// next waits until `interval` after the last: then it holds many. Where little is to be done, each goes at once, and nothing waits; and
/// where a transaction holds very many, messages wait in queues anyway, and the interval is longer.
struct CommitPace: Equatable {
    /// From this many records in a transaction on the stage counts as busy.
    static let busyFrom = 12
    /// From this many on it is full: at 20 ms from one to the next, what a rate of 4,000 a second brings.
    static let fullFrom = 80
    /// Of a full stage's interval to a busy one's.
    static let stretch = 5 / 2.0

    /// From the start of one transaction to that of the next, when busy.
    let interval: Duration
    private var last: ContinuousClock.Instant?
    private var current = Duration.zero

    init(interval: Duration) { self.interval = interval }

    /// A transaction with so many records begins.
    mutating func began(records: Int, at now: ContinuousClock.Instant) {
        current = records < Self.busyFrom ? .zero : records < Self.fullFrom ? interval : interval * Self.stretch
        last = now
    }

    /// How long the next one still waits; zero where it may begin.
    func wait(at now: ContinuousClock.Instant) -> Duration {
        guard current > .zero, let last else { return .zero }
        return max(.zero, last + current - now)
    }
}
