public import Bus
public import Configuration
public import Logging
import Message
public import NIOCore
public import ServiceKit

/// What a connector is made with.
public struct ConnectorSetup: Sendable {
    public let configuration: ConnectorConfiguration
    public let share: SessionShare
    public let eventLoop: any EventLoop
    public let logger: Logger
    public let health: Health
    public let board: StateBoard
    /// What senders ordered.
    public let book: QueueOrderBook

    public init(
        _ configuration: ConnectorConfiguration, _ share: SessionShare, _ context: ServiceContext, eventLoop: any EventLoop,
        board: StateBoard, book: QueueOrderBook
    ) {
        self.configuration = configuration
        self.share = share
        self.eventLoop = eventLoop
        self.board = board
        self.book = book
        logger = context.environment.logger.at(configuration.trace.level?.rawValue)
        health = context.health
    }
}

/// One outgoing connector on this instance, as far as its protocol does not matter: its queue, its limits, and what answers come to.
///
/// Lives on one event loop, like its connections: an answer costs no hop. `QueueFeed` is the way in from elsewhere. A protocol's own
/// class says how a part is sent, and overrides what its connections take part in.
open class QueueConnector<Part: Sendable> {
    public typealias Slot = SubmitQueue<Part>.Slot
    public typealias Outgoing = SubmitQueue<Part>.Outgoing

    private static var tick: TimeAmount { .milliseconds(250) }
    /// Between two looks at messages that expire while nothing can be sent.
    private static var expiryMilliseconds: Int64 { 1_000 }

    public let eventLoop: any EventLoop
    public let configuration: ConnectorConfiguration
    public let name: String
    public let logger: Logger
    public let health: Health
    public let board: StateBoard
    public let book: QueueOrderBook
    let counters: EgressCounters
    let maker: any PartMaker<Part>
    private var stage: WindowedStage?
    public final var queue = SubmitQueue<Part>()
    public private(set) final var share: SessionShare
    private var completions: [Completion] = []
    /// Messages that ended by `completions`.
    private var endedIDs: [Int64] = []
    final var ended = EndedLately()
    /// Parts that were sent and that nothing is recorded of yet, answered ones included. Never more than the windows hold, so that a
    /// crash repeats at most a window (promise 3); a message of several parts that was begun is sent to its end all the same.
    public final var held = 0
    public final var limits: SendLimits
    public private(set) final var isStopping = false
    public private(set) final var isHeld: Bool
    private var ticker: RepeatedTask?
    private var lastExpiry: Int64 = 0
    /// When the next look at the queue is scheduled, because a rate or a pause holds it up.
    private var pumpAt: Int64?

    public init(_ setup: ConnectorSetup, _ maker: any PartMaker<Part>, counters: EgressCounters) {
        configuration = setup.configuration
        name = setup.configuration.name
        share = setup.share
        eventLoop = setup.eventLoop
        logger = setup.logger
        health = setup.health
        board = setup.board
        book = setup.book
        self.maker = maker
        self.counters = counters
        isHeld = setup.configuration.outgoing.isHeld
        let (share, instances) = (setup.share, setup.configuration.instances)
        limits = SendLimits(
            perSecond: setup.configuration.throughputPerSecond.map { share.rate($0, sessions: instances) }, now: monotonicMilliseconds())
    }

    // MARK: What a protocol adds

    /// Sends what the limits allow, in the order of the queue.
    open func pump() {}
    /// Tells what others see: the board and the health.
    open func reportState() {}
    /// It begins, or the instances have changed: other sessions are ours.
    open func shareChanged() {}
    /// Messages came in.
    open func arrived() {}
    /// Four times a second.
    open func ticked(now: Int64) {}
    /// Connects anew, as an operator wants.
    open func bounce() {}
    /// No more is sent; the connections are to end when they are answered.
    open func stopping() {}
    /// Whether anything unanswered is worth waiting for.
    open var isBusy: Bool { false }
    /// Nothing is waited for any more.
    open func close() {}
    /// Whether nothing can be sent for now, so that what waits must be looked through for what expires.
    open var isCutOff: Bool { false }

    // MARK: Orders

    final func start(_ stage: WindowedStage) {
        self.stage = stage
        let loopBound = NIOLoopBound(self, eventLoop: eventLoop)
        ticker = eventLoop.scheduleRepeatedTask(initialDelay: QueueConnector.tick, delay: QueueConnector.tick) { _ in
            loopBound.value.ticked()
        }
        shareChanged()
        reportState()
    }

    final func change(to share: SessionShare) {
        self.share = share
        if let total = configuration.throughputPerSecond {
            limits.change(perSecond: share.rate(total, sessions: configuration.instances), now: monotonicMilliseconds())
        }
        shareChanged()
        pump()
        reportState()
    }

    final func hold(_ isHeld: Bool) {
        guard self.isHeld != isHeld else { return }
        self.isHeld = isHeld
        logger.notice(isHeld ? "connector held" : "connector released", metadata: ["connector": "\(name)"])
        pump()
        reportState()
    }

    /// No more is sent, what is unanswered is waited for a while (`isBusy` tells how long), then `close` ends it.
    final func beginStop() {
        isStopping = true
        ticker?.cancel()
        stopping()
        health.remove("connector \(name)")
        board.remove(name)
    }

    private func ticked() {
        let now = monotonicMilliseconds()
        limits.tick(now: now)
        if isCutOff || isHeld, now - lastExpiry >= QueueConnector.expiryMilliseconds {
            lastExpiry = now
            for outgoing in queue.expired(now: wallClockMilliseconds()) { expire(outgoing) }
        }
        ticked(now: now)
        pump()
        report()
        reportState()
    }

    /// Another look at the queue at `due`.
    public final func schedulePump(at due: Int64, _ now: Int64) {
        if let pumpAt, pumpAt > now, pumpAt <= due { return }
        pumpAt = due
        let loopBound = NIOLoopBound(self, eventLoop: eventLoop)
        eventLoop.scheduleTask(in: .milliseconds(max(1, due - now))) {
            let connector = loopBound.value
            guard connector.pumpAt == due else { return }
            connector.pumpAt = nil
            connector.pump()
            connector.report()
        }
    }

    // MARK: From the queue

    final func add(_ messages: [(Claim, ShortMessage, [Part])], _ completed: [Completion]) {
        completions += completed
        for (claim, message, parts) in messages { queue.append(claim: claim, message: message, parts: parts) }
        if !book.isEmpty { follow(book.standings(of: messages.map(\.1.msgid))) }
        arrived()
        pump()
        report()
    }

    // MARK: Recording

    /// Hands a message's end to the stage; what is held of it stays held until that is recorded.
    /// - Parameter isEnd: it does not come again, to this connector or to another.
    public final func complete(_ outgoing: Outgoing, _ outputs: [OutgoingRecord], isEnd: Bool = true) {
        completions.append(Completion(claim: outgoing.claim, outputs: outputs, weight: outgoing.held))
        if isEnd { endedIDs.append(outgoing.message.msgid) }
        outgoing.held = 0
    }

    /// The stage has written down what became of that many parts.
    final func recorded(_ parts: Int) {
        held -= parts
        pump()
        report()
    }

    /// Whether answers are awaited to what is about to go to another instance; the rest of it is not sent from here.
    final func hasBegunLeaving() -> Bool {
        pump()
        report()
        return queue.hasBegunLeaving
    }

    /// Gives what ended to the stage: to be called once after each batch of answers.
    public final func report() {
        guard !completions.isEmpty else { return }
        if let stage {
            let number = stage.complete(completions)
            ended.add(endedIDs, number: number, committed: stage.committedBatch, now: monotonicMilliseconds())
        }
        completions.removeAll(keepingCapacity: true)
        endedIDs.removeAll(keepingCapacity: true)
    }
}
