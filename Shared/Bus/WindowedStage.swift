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
        public init(consumer: ConsumerSettings, transactionalID: String) {
            self.consumer = consumer
            self.transactionalID = transactionalID
        }
    }

    /// How long all room may be taken before fetching is paused.
    private static let pauseAfter = Duration.seconds(5)

    private struct Inbox {
        var completions: [Completion] = []
        var waker: ConsumerWaker?
    }

    private let configuration: BusConfiguration
    private let settings: Settings
    private let onState: @Sendable (StageState) -> Void
    private let onRecords: @Sendable ([ClaimedRecord]) -> Void
    private let onRecorded: @Sendable (Int) -> Void
    private let inbox = Mutex(Inbox())
    private let stopping = Atomic<Bool>(false)
    /// Signalled when completions come in, for the time in which there is no room to poll for more.
    private let news = DispatchSemaphore(value: 0)

    /// - Parameters:
    ///   - onRecorded: the sum of the weights of completions that are written down now; on the stage's thread.
    ///   - onRecords: takes over a batch, in order; called on the stage's thread, must not block for long.
    public init(
        _ configuration: BusConfiguration, settings: Settings, onState: @escaping @Sendable (StageState) -> Void,
        onRecorded: @escaping @Sendable (Int) -> Void = { _ in }, onRecords: @escaping @Sendable ([ClaimedRecord]) -> Void
    ) {
        self.configuration = configuration
        self.settings = settings
        self.onState = onState
        self.onRecords = onRecords
        self.onRecorded = onRecorded
    }

    /// Gives records back as done. From any thread; call it once per batch, not per record.
    public func complete(_ completions: [Completion]) {
        guard !completions.isEmpty else { return }
        let waker: ConsumerWaker? = inbox.withLock { inbox in
            let wasEmpty = inbox.completions.isEmpty
            inbox.completions += completions
            return wasEmpty ? inbox.waker : nil
        }
        if let waker {
            waker.wake()
            news.signal()
        }
    }

    public func stop() {
        stopping.store(true, ordering: .releasing)
        inbox.withLock { $0.waker }?.wake()
    }
    private var isStopping: Bool { stopping.load(ordering: .acquiring) }

    /// Runs until `stop`. Blocks: give it a thread of its own.
    public func run() {
        var backoff = Backoff()
        let work = WindowedWork()
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

    private func runOnce(_ work: WindowedWork, onCommit: () -> Void) throws(BusError) {
        work.beginRun()
        let producer = try TransactionalProducer(configuration, transactionalID: settings.transactionalID)
        let consumer = try Consumer(
            configuration, settings: settings.consumer, onAssigned: { work.assigned($0) },
            onRevoked: { [self] partitions in
                guard let consumer = work.consumer else { return }  // we are closing; what is open stays with this process
                // The last chance to write down what is done; whoever gets the partitions starts from there.
                work.take(takeCompletions())
                do throws(BusError) { try work.commit(producer, consumer) } catch { work.failure = error }
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
        while !isStopping {
            work.take(takeCompletions())
            if work.hasNews {
                try work.commit(producer, consumer)
                onCommit()
            }
            let recorded = work.takeRecorded()
            if recorded > 0 { onRecorded(recorded) }
            if let failure = work.failure { throw failure }
            let room = work.isStretched ? 0 : settings.maxOpen - work.openCount
            if room <= 0, !paused {
                // Pausing throws away what was prefetched, so a short fullness only waits; a long one (the peer is away) pauses,
                // as the group expects a poll now and then.
                let since = fullSince ?? .now
                fullSince = since
                if ContinuousClock.now - since < WindowedStage.pauseAfter {
                    _ = news.wait(timeout: .now() + .milliseconds(200))
                    continue
                }
                consumer.setPaused(true)
                paused = true
            } else if room > 0 {
                fullSince = nil
                if paused { consumer.setPaused(false) }
                paused = false
            }
            guard !(inbox.withLock { !$0.completions.isEmpty }) else { continue }
            let records = try consumer.poll(max: max(1, min(room, 500)), timeoutMilliseconds: 200)
            let claimed = work.claim(records)
            if !claimed.isEmpty { onRecords(claimed) }
        }
        work.take(takeCompletions())
        try work.commit(producer, consumer)
    }

    private func takeCompletions() -> [Completion] {
        inbox.withLock { inbox in
            let taken = inbox.completions
            inbox.completions.removeAll(keepingCapacity: true)
            return taken
        }
    }
}
