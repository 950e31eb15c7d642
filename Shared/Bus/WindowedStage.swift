import Dispatch
import Logging
import Synchronization

/// A stage whose records are finished by somebody else, later and in any order: a provider's or a client's session.
///
/// Records are handed out up to a bound; what was completed is written in transactions, outputs together with the offsets. The
/// offset committed is that of the oldest open record, and its note tells what is done above it: so a crash repeats only what had
/// no recorded answer.
public final class WindowedStage: Sendable {
    public struct Settings: Sendable {
        public var consumer: ConsumerSettings
        public var transactionalID: String
        /// Records handed out and not completed, at most.
        public var maxOpen = 1_000
        /// Where answers are noted before they are recorded on the bus, so that a killed process does not repeat what was answered;
        /// `nil` = nowhere, and then a completion counts as recorded only when it is committed.
        public var journalPath: String?
        /// Under load: from one transaction to the next, so that each holds many records (`CommitPace`). Without a journal a completion
        /// counts only once it is committed; then nothing waits.
        public var busyMilliseconds = 20
        /// How long a partition that is to go to another instance is kept for the answers to what was begun.
        public var leavingPatience = Duration.seconds(6)
        public init(consumer: ConsumerSettings, transactionalID: String) {
            self.consumer = consumer
            self.transactionalID = transactionalID
        }
    }

    /// How long all room may be taken before fetching is paused.
    private static let pauseAfter = Duration.seconds(5)
    /// How long recovered answers wait for their partition. It went to another instance otherwise.
    private static let recoveryPatience = Duration.seconds(60)

    private struct Inbox: ~Copyable {
        var completions: [Completion] = []
        var waker: ConsumerWaker?
        var journal: AnswerJournal?
        /// Counts the calls of `complete`.
        var batch = 0
        /// The stage comes by itself when the next transaction may begin: it need not be woken.
        var isPacing = false
    }

    private let configuration: BusConfiguration
    private let settings: Settings
    private let onState: @Sendable (StageState) -> Void
    private let onRecords: @Sendable ([ClaimedRecord]) -> Void
    private let onRecorded: @Sendable (Int) -> Void
    private let hasBegun: @Sendable () -> Bool
    private let inbox = Mutex(Inbox())
    private let stopping = Atomic<Bool>(false)
    private let committed = Atomic<Int>(0)
    /// Signalled when completions come in, for the time in which there is no room to poll for more.
    private let news = DispatchSemaphore(value: 0)

    /// - Parameters:
    ///   - onRecorded: the sum of the weights of completions that are written down now; on the stage's thread.
    ///   - hasBegun: whether something was begun, and not completed yet, whose claim `isLeaving`: its answer is waited for before the
    ///     partition goes, or the next owner would begin it again. On the stage's thread, several times; what it finds completed must have
    ///     been given to `complete` when it returns.
    ///   - onRecords: takes over a batch, in order; called on the stage's thread, must not block for long.
    public init(
        _ configuration: BusConfiguration, settings: Settings, onState: @escaping @Sendable (StageState) -> Void,
        onRecorded: @escaping @Sendable (Int) -> Void = { _ in }, hasBegun: @escaping @Sendable () -> Bool = { false },
        onRecords: @escaping @Sendable ([ClaimedRecord]) -> Void
    ) {
        self.configuration = configuration
        self.settings = settings
        self.onState = onState
        self.onRecords = onRecords
        self.onRecorded = onRecorded
        self.hasBegun = hasBegun
    }

    /// Gives records back as done. From any thread; call it once per batch, not per record.
    /// - Returns: the batch's number, for `committedBatch`.
    @discardableResult
    public func complete(_ completions: [Completion]) -> Int {
        guard !completions.isEmpty else { return committedBatch }
        var released = 0
        let (waker, number): (ConsumerWaker?, Int) = inbox.withLock { inbox in
            let wasEmpty = inbox.completions.isEmpty
            inbox.batch += 1
            let entries = completions.map {
                AnswerJournal.Entry(partition: $0.claim.partition, offset: $0.claim.offset, outputs: $0.outputs)
            }
            if inbox.journal?.append(entries, batch: inbox.batch) == true {
                for completion in completions {
                    var noted = completion
                    released += completion.weight
                    noted.weight = 0
                    inbox.completions.append(noted)
                }
            } else {
                inbox.completions += completions
            }
            return (wasEmpty && !inbox.isPacing ? inbox.waker : nil, inbox.batch)
        }
        if released > 0 { onRecorded(released) }
        if let waker {
            waker.wake()
            news.signal()
        }
        return number
    }

    /// All batches of completions up to this one are committed on the bus.
    public var committedBatch: Int { committed.load(ordering: .acquiring) }

    public func stop() {
        stopping.store(true, ordering: .releasing)
        inbox.withLock { $0.waker }?.wake()
    }
    private var isStopping: Bool { stopping.load(ordering: .acquiring) }

    /// Runs until `stop`. Blocks: give it a thread of its own.
    public func run() {
        var backoff = Backoff()
        let work = WindowedWork()
        openJournal(work)
        while !isStopping {
            onState(.starting)
            do {
                try runOnce(work) { backoff.reset() }
            } catch {
                onState(.failing("\(error)"))
                configuration.logger.warning("queue starts over", metadata: ["error": "\(error)"])
                backoff.wait(unless: { self.isStopping })
            }
        }
    }

    /// What a predecessor that was killed had been answered is done: it waits for its record to be read again.
    private func openJournal(_ work: WindowedWork) {
        guard let path = settings.journalPath else { return }
        var recovered: [AnswerJournal.Entry] = []
        do {
            try inbox.withLock { inbox in inbox.journal = try AnswerJournal(path: path, recovered: &recovered) }
        } catch {
            configuration.logger.error("no journal of answers, a crash may repeat what was answered", metadata: ["error": "\(error)"])
        }
        work.recover(recovered)
    }

    private func runOnce(_ work: WindowedWork, onCommit: () -> Void) throws(BusError) {
        work.beginRun()
        let producer = try TransactionalProducer(configuration, transactionalID: settings.transactionalID)
        let consumer = try Consumer(
            configuration, settings: settings.consumer, onAssigned: { work.assigned($0) },
            onRevoked: { [self] partitions in
                guard let consumer = work.consumer else { return }  // we are closing; what is open stays with this process
                do throws(BusError) { try letGo(partitions, work, producer, consumer) } catch { work.failure = error }
                work.revoked(partitions)
            })
        work.consumer = consumer
        inbox.withLock { $0.waker = consumer.waker }
        defer {
            inbox.withLock { $0.waker = nil }
            // A revocation during close would commit once more; what is done was committed before.
            work.consumer = nil
            consumer.close()
        }
        onState(.running)
        var paused = false
        var fullSince: ContinuousClock.Instant?
        let began = ContinuousClock.now
        let hasJournal = inbox.withLock { $0.journal != nil }
        var pace = CommitPace(interval: hasJournal ? .milliseconds(settings.busyMilliseconds) : .zero)
        while !isStopping {
            let (completions, batch) = takeBatch()
            work.take(completions)
            let wait = pace.wait(at: .now)
            inbox.withLock { $0.isPacing = wait > .zero }
            if work.hasNews, wait == .zero {
                pace.began(records: work.uncommittedCount, at: .now)
                try commit(work, upTo: batch, producer, consumer)
                onCommit()
            }
            giveRoom(work)
            if let failure = work.failure { throw failure }
            if work.hasLimbo, ContinuousClock.now - began > WindowedStage.recoveryPatience { work.forgetUnassigned() }
            let room = work.isStretched ? 0 : settings.maxOpen - work.openCount
            if room <= 0, !paused {
                // Pausing throws away what was prefetched, so a short fullness only waits; a long one (the peer is away) pauses,
                // as the group expects a poll now and then.
                let since = fullSince ?? .now
                fullSince = since
                if ContinuousClock.now - since < WindowedStage.pauseAfter {
                    _ = news.wait(timeout: .now() + .milliseconds(wait > .zero ? Int(wait / .milliseconds(1)) + 1 : 200))
                    continue
                }
                consumer.setPaused(true)
                paused = true
            } else if room > 0 {
                fullSince = nil
                if paused { consumer.setPaused(false) }
                paused = false
            }
            let left = pace.wait(at: .now)
            guard left > .zero || !(inbox.withLock { !$0.completions.isEmpty }) else { continue }
            let patience = left > .zero ? Int32(left / .milliseconds(1)) + 1 : 200
            let records = try consumer.poll(max: max(1, min(room, 500)), timeoutMilliseconds: patience)
            let claimed = work.claim(records)
            if !claimed.isEmpty { onRecords(claimed) }
        }
        work.take(takeBatch().completions)
        try work.commit(producer, consumer)
    }

    /// The last chance to write down what is done; whoever gets the partitions starts from there. What was begun gets the time to be
    /// answered. The group waits for us meanwhile, and its other members go on.
    private func letGo(
        _ partitions: [TopicPartition], _ work: WindowedWork, _ producer: TransactionalProducer, _ consumer: Consumer
    ) throws(BusError) {
        work.leaving(partitions)
        let deadline = ContinuousClock.now + (consumer.hasLostAssignment ? .zero : settings.leavingPatience)
        while true {
            // Asked first: what is completed after this look is taken in the next round.
            let isBusy = hasBegun()
            let (completions, batch) = takeBatch()
            work.take(completions)
            try commit(work, upTo: batch, producer, consumer)
            giveRoom(work)
            guard isBusy, !isStopping, ContinuousClock.now < deadline else { return }
            _ = news.wait(timeout: .now() + .milliseconds(20))
        }
    }

    private func commit(
        _ work: WindowedWork, upTo batch: Int, _ producer: TransactionalProducer, _ consumer: Consumer
    ) throws(BusError) {
        try work.commit(producer, consumer)
        guard !work.hasLimbo else { return }
        inbox.withLock { $0.journal?.committed(upTo: batch) }
        committed.store(batch, ordering: .releasing)
    }

    private func giveRoom(_ work: WindowedWork) {
        let recorded = work.takeRecorded()
        if recorded > 0 { onRecorded(recorded) }
    }

    private func takeBatch() -> (completions: [Completion], batch: Int) {
        inbox.withLock { inbox in
            let taken = inbox.completions
            inbox.completions.removeAll(keepingCapacity: true)
            return (taken, inbox.batch)
        }
    }
}
