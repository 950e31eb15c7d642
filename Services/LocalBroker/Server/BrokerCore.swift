import Logging
import NIOCore
import NIOPosix

/// The broker's mind: all state, one thread, no lock. Requests come in batches, one batch is one turn, and whatever a turn
/// decided goes to the disk as one round. While a round is on the disk the next one fills.
///
/// An answer leaves when everything that was decided before it is durable; so nobody ever learns of what a crash could undo.
final class BrokerCore {
    struct Inflight {
        var round: Round
        var ends: [(PartitionLog, LogPosition)]
        var replies: [Reply]
        /// Set when a checkpoint was taken at the end of this round.
        var checkpoint: (snapshot: ByteBuffer, sequence: UInt64)?
        var failures = 0
    }

    let loop: any EventLoop
    let ioLoops: [any EventLoop]
    let configuration: BrokerConfiguration
    let advertised: (host: String, port: Int32)
    let logger: Logger
    let state: BrokerState
    let writer: StorageWriter
    let syncLog: SyncLog?
    let storagePool: NIOThreadPool
    let readerPool: NIOThreadPool
    let checkpointPool: NIOThreadPool

    private var inflight: Inflight?
    private var replies: [Reply] = []
    /// Produce requests that found the round full that was being filled; in their order.
    private var deferred = CircularBuffer<Request>()
    /// A round of this many octets takes no more records while another is on its way to the disk.
    private static let largestRound = 4 << 20
    private var journalSize = 0
    private var checkpointRunning = false
    /// A checkpoint failed to sync: the journals are kept and the next start writes the files again.
    private var checkpointsStopped = false
    private(set) var storageFailing = false
    private var lastSync: NIODeadline = .now()
    private var unsyncedRounds = false
    private var stopping: EventLoopPromise<Void>?
    /// From the request to stop on: nothing is taken in any more.
    private(set) var isClosing = false

    // Long polls, by number.
    var fetches: [Int: WaitingFetch] = [:]
    var nextFetch = 0
    var groupTimer: Scheduled<Void>?
    var groupTimerDue: Int64 = .max
    /// By transactional id.
    var openTransactions: [String: OpenTransaction] = [:]
    let clusterID = "signalbox-local-broker"
    static let nodeID: Int32 = 1

    init(
        loop: any EventLoop, ioLoops: [any EventLoop], configuration: BrokerConfiguration, advertised: (host: String, port: Int32),
        logger: Logger, state: BrokerState, writer: StorageWriter, syncLog: SyncLog?, storagePool: NIOThreadPool, readerPool: NIOThreadPool,
        checkpointPool: NIOThreadPool
    ) {
        self.loop = loop
        self.ioLoops = ioLoops
        self.configuration = configuration
        self.advertised = advertised
        self.logger = logger
        self.state = state
        self.writer = writer
        self.syncLog = syncLog
        self.storagePool = storagePool
        self.readerPool = readerPool
        self.checkpointPool = checkpointPool
    }

    /// Milliseconds that only go forward, for deadlines.
    var monotonic: Int64 { Int64(NIODeadline.now().uptimeNanoseconds / 1_000_000) }

    func bound<T>(_ value: T) -> NIOLoopBound<T> { NIOLoopBound(value, eventLoop: loop) }

    // MARK: Turns

    func handle(_ requests: [Request]) {
        guard !isClosing else { return }  // the connection closes in a moment, unanswered
        let now = wallClockMilliseconds()
        for request in requests { handle(request, now: now) }
        endTurn()
    }

    private func handle(_ request: Request, now: Int64) {
        switch request.body {
        case .produce(let produce):
            if deferred.isEmpty, hasRoom { handleProduce(produce, request.reply, now: now) } else { deferred.append(request) }
        case .fetch(let fetch): handleFetch(fetch, request.reply)
        case .other(let body):
            do throws(WireError) {
                try handleOther(request, body, now: now)
            } catch {
                logger.info("a request makes no sense", metadata: ["api": "\(request.reply.api)", "error": "\(error)"])
                replies.append(Reply(to: request.reply, content: .close))
            }
        }
    }

    /// Whether the round that is being filled takes more records. A failing disk's takes them too: they are refused at once.
    private var hasRoom: Bool { inflight == nil || storageFailing || state.round.journal.readableBytes < Self.largestRound }

    private func takeDeferred() {
        let now = wallClockMilliseconds()
        while hasRoom, let request = deferred.popFirst() {
            if case .produce(let produce) = request.body { handleProduce(produce, request.reply, now: now) }
        }
    }

    func answer(_ to: PendingReply, _ writer: consuming KafkaWriter) {
        replies.append(Reply(to: to, content: .frame(writer.finish())))
    }

    /// Answers at once, without waiting for what was decided to be durable. Only for what a later request rests on that does wait,
    /// and that is refused should this be lost.
    func answerEarly(_ to: PendingReply, _ writer: consuming KafkaWriter) {
        deliver([Reply(to: to, content: .frame(writer.finish()))])
    }

    func answerSilence(_ to: PendingReply) { replies.append(Reply(to: to, content: .silence)) }

    /// Ends a turn: what was decided starts towards the disk, answers wait for it, or leave when there is nothing to wait for.
    func endTurn() {
        if inflight == nil {
            if state.round.isEmpty {
                let ready = replies
                replies.removeAll(keepingCapacity: true)
                deliver(ready)
            } else {
                startRound()
            }
        } else if storageFailing, !replies.isEmpty {
            // The round under way may wait for long. Nothing that was decided since rests in these answers but refusals. Where a
            // round is begun behind it (a new producer's id, say), what only reads or was refused must not wait with that.
            let nothingDecided = state.round.isEmpty
            let ready = replies.filter { nothingDecided || Self.needsNoDisk($0.to.api) }
            replies.removeAll { nothingDecided || Self.needsNoDisk($0.to.api) }
            deliver(ready)
        } else if state.round.isEmpty, !replies.isEmpty {
            // Nothing new was decided, but what these answers rest on may be in the round under way.
            inflight?.replies += replies
            replies.removeAll(keepingCapacity: true)
        }
    }

    /// Requests that read, and produce, which a failing disk refuses before it decides anything.
    private static func needsNoDisk(_ api: APIKey) -> Bool {
        switch api {
        case .produce, .fetch, .listOffsets, .metadata, .findCoordinator, .apiVersions, .describeCluster, .describeConfigs: true
        default: false
        }
    }

    private func startRound() {
        let (round, ends) = state.takeRound()
        var next = Inflight(round: round, ends: ends, replies: replies)
        replies.removeAll(keepingCapacity: true)
        journalSize += round.journal.readableBytes
        if journalSize >= configuration.journalBytes, !checkpointRunning, !checkpointsStopped {
            checkpointRunning = true
            next.checkpoint = (Checkpoint.encode(state), state.nextSequence)
            journalSize = 0
        }
        inflight = next
        submitRound()
    }

    private func syncDue() -> Bool {
        switch configuration.fsync {
        case .always: true
        case .interval(let milliseconds): NIODeadline.now() - lastSync >= .milliseconds(Int64(milliseconds))
        case .never: false
        }
    }

    private func submitRound() {
        guard let current = inflight else { return }
        let sync = syncDue() || isClosing
        if sync { lastSync = .now() }
        unsyncedRounds = !sync
        let (writer, round, rotation) = (self.writer, current.round, current.checkpoint?.sequence)
        let me = bound(self)
        storagePool.submit { [loop] _ in
            let outcome: Result<[OpenFile]?, FileError>
            do throws(FileError) {
                try writer.perform(round, sync: sync)
                outcome = .success(try rotation.map { sequence throws(FileError) in try writer.rotate(to: sequence) })
            } catch {
                outcome = .failure(error)
            }
            loop.execute { me.value.roundEnded(outcome) }
        }
    }

    private func roundEnded(_ outcome: Result<[OpenFile]?, FileError>) {
        guard var done = inflight else { return }
        switch outcome {
        case .failure(let error):
            // Kept and tried again: nothing of it is lost, and a client that gives up is told to come back.
            if done.failures == 0 { logger.error("the disk refuses a write", metadata: ["error": "\(error)"]) }
            storageFailing = true
            let refused = done.replies
            done.replies = []
            done.failures += 1
            inflight = done
            refuse(refused)
            let waiting = replies
            replies.removeAll()
            refuse(waiting)
            takeDeferred()
            endTurn()
            let me = bound(self)
            loop.scheduleTask(in: .milliseconds(500)) { me.value.submitRound() }
        case .success(let files):
            state.reuse(done.round.journal)
            if storageFailing { logger.notice("the disk takes writes again") }
            storageFailing = false
            inflight = nil
            for (log, position) in done.ends { log.advance(to: position) }
            deliver(done.replies)
            if let checkpoint = done.checkpoint, let files { startCheckpoint(checkpoint.snapshot, checkpoint.sequence, files) }
            for (log, _) in done.ends where !log.waiters.isEmpty { wakeFetches(of: log) }
            if !state.round.isEmpty {
                startRound()
                takeDeferred()
            } else {
                endTurn()
                finishStopping()
            }
        }
    }

    /// The disk is full or broken: answers that depend on it become errors that a client retries.
    private func refuse(_ replies: [Reply]) {
        deliver(
            replies.map { reply in
                // Only produce says so in its own words; for the rest the client repeats the request on a new connection.
                Reply(to: reply.to, content: .close)
            })
    }

    private func startCheckpoint(_ snapshot: ByteBuffer, _ sequence: UInt64, _ files: [OpenFile]) {
        let directory = configuration.dataDirectory
        let me = bound(self)
        checkpointPool.submit { [loop, writer, syncLog] _ in
            let failure: FileError?
            do throws(FileError) {
                try StorageWriter.checkpoint(
                    snapshot, files: files, sequence: sequence, directory: directory, recycler: writer, syncLog: syncLog)
                failure = nil
            } catch {
                failure = error
            }
            loop.execute { me.value.checkpointEnded(failure) }
        }
    }

    private func checkpointEnded(_ failure: FileError?) {
        checkpointRunning = false
        if let failure {
            // After a failed sync the kernel may have dropped the pages and call the next sync a success. The journals hold
            // everything, so they stay, and the next start writes the files again.
            checkpointsStopped = true
            logger.error("a checkpoint failed; the journal is kept until a restart", metadata: ["error": "\(failure)"])
        }
        finishStopping()
    }

    // MARK: Answers

    /// Sends answers to their connections: one hop for each I/O loop.
    func deliver(_ replies: [Reply]) {
        guard !replies.isEmpty else { return }
        if ioLoops.count == 1 {
            BrokerCore.send(replies, on: ioLoops[0])
        } else {
            for (index, ioLoop) in ioLoops.enumerated() {
                let share = replies.filter { $0.to.connection.loopIndex == index }
                if !share.isEmpty { BrokerCore.send(share, on: ioLoop) }
            }
        }
    }

    static func send(_ replies: [Reply], on loop: any EventLoop) {
        loop.execute {
            var last: Connection?
            for reply in replies {
                let connection = reply.to.connection
                if let last, last !== connection { last.handler.value.flushAnswers() }
                connection.handler.value.complete(reply.to.slot, reply.content)
                last = connection
            }
            last?.handler.value.flushAnswers()
        }
    }

    // MARK: Time

    /// Looks at what time alone brings about.
    func tick() {
        guard !isClosing else { return }
        expireTransactions()
        if unsyncedRounds, syncDue(), inflight == nil {
            // Nothing new came since the last round: sync it all the same.
            inflight = Inflight(round: Round(number: state.round.number), ends: [], replies: [])
            state.round.number += 1
            submitRound()
        }
        endTurn()
    }

    func housekeep() {
        guard !isClosing else { return }
        let now = wallClockMilliseconds()
        enforceRetention(now: now)
        forgetIdleTransactions(now: now)
        forgetEmptyGroups(now: now)
        for topic in state.topics.values {
            for log in topic.partitions { log.forgetIdleProducers(before: now - 24 * 3600 * 1000) }
        }
        endTurn()
    }

    // MARK: Stopping

    /// Finishes what is under way, writes a checkpoint, and fulfils `promise`. New requests are refused from here on.
    func stop(_ promise: EventLoopPromise<Void>) {
        guard !isClosing else {
            promise.fail(ChannelError.alreadyClosed)
            return
        }
        isClosing = true
        stopping = promise
        groupTimer?.cancel()
        for waiting in fetches.values { waiting.timer.cancel() }
        fetches.removeAll()
        finishStopping()
    }

    private func finishStopping() {
        guard let promise = stopping, inflight == nil, !checkpointRunning else { return }
        guard state.round.isEmpty else {
            startRound()
            return
        }
        stopping = nil
        let (snapshot, sequence) = (Checkpoint.encode(state), state.nextSequence)
        let (writer, directory, stopped) = (self.writer, configuration.dataDirectory, checkpointsStopped)
        storagePool.submit { [syncLog] _ in
            do throws(FileError) {
                if !stopped {
                    let files = try writer.rotate(to: sequence)
                    try StorageWriter.checkpoint(
                        snapshot, files: files, sequence: sequence, directory: directory, syncLog: syncLog)
                }
                promise.succeed()
            } catch {
                promise.fail(error)
            }
        }
    }
}
