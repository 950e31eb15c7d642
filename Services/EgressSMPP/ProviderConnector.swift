import Bus
import Configuration
import Egress
import Logging
import Message
import NIOCore
import NIOPosix
import SMPP
import ServiceKit
import Store

/// One outgoing connector on this instance: its queue, its sessions, and what their answers come to.
///
/// Lives on one event loop, like all its sessions: an answer costs no hop. `QueueFeed` is the way in from elsewhere.
final class ProviderConnector {
    typealias Slot = SubmitQueue<SubmitSm>.Slot
    typealias Outgoing = SubmitQueue<SubmitSm>.Outgoing

    private static let tick = TimeAmount.milliseconds(250)
    /// Between two looks at messages that expire while nothing can be sent.
    private static let expiryMilliseconds: Int64 = 1_000

    let eventLoop: any EventLoop
    let configuration: ConnectorConfiguration
    let logger: Logger
    private let health: Health
    private let receipts: ReceiptIntake
    private let rows: SessionRows
    private let board: StateBoard
    var stage: WindowedStage?
    var queue = SubmitQueue<SubmitSm>()
    private(set) var sessions: [Int: ProviderHandler] = [:]
    private var rowIDs: [Int: String] = [:]
    private var links: [Int: ProviderLink] = [:]
    private var outbinds: OutbindListener?
    private var share: SessionShare
    var completions: [Completion] = []
    /// Parts that were sent and that nothing is recorded of yet, answered ones included. Never more than the windows hold, so that a
    /// crash repeats at most a window (promise 3); a message of several parts that was begun is sent to its end all the same.
    var held = 0
    private(set) var isStopping = false
    private(set) var isHeld: Bool
    private var lastRefusal = ""
    private var ticker: RepeatedTask?
    private var lastExpiry: Int64 = 0
    /// THROUGHPUT's part of this instance; nil = no limit.
    var rate: SendRate?
    var throttle: ThrottleControl
    /// Paces to what `throttle` found.
    var pace: SendRate?
    /// When the next look at the queue is scheduled, because a rate or a pause holds it up.
    var pumpAt: Int64?
    var ids: MessageIDKeys
    /// What senders ordered.
    let book: QueueOrderBook
    let writer: PartWriter
    var ended = EndedLately()
    /// Messages that ended by `completions`.
    var endedIDs: [Int64] = []

    init(
        configuration: ConnectorConfiguration, share: SessionShare, environment: ServiceEnvironment, health: Health,
        receipts: ReceiptIntake, rows: SessionRows, board: StateBoard, book: QueueOrderBook, knownIDs: MessageIDRule?,
        eventLoop: any EventLoop
    ) {
        self.configuration = configuration
        self.share = share
        self.eventLoop = eventLoop
        self.health = health
        self.receipts = receipts
        self.rows = rows
        self.board = board
        isHeld = configuration.outgoing.isHeld
        logger = environment.logger.at(configuration.trace.level?.rawValue)
        throttle = ThrottleControl(now: monotonicMilliseconds())
        ids = MessageIDKeys(configuration.outgoing, known: knownIDs)
        self.book = book
        writer = PartWriter(configuration.outgoing, configuration.smpp)
        rate = configuration.throughputPerSecond.map {
            SendRate(perSecond: share.rate($0, sessions: configuration.instances), now: monotonicMilliseconds())
        }
    }

    var name: String { configuration.name }
    var hasSessions: Bool { !sessions.isEmpty }

    // MARK: Orders

    func start(_ stage: WindowedStage) {
        self.stage = stage
        let loopBound = NIOLoopBound(self, eventLoop: eventLoop)
        ticker = eventLoop.scheduleRepeatedTask(initialDelay: ProviderConnector.tick, delay: ProviderConnector.tick) { _ in
            loopBound.value.ticked()
        }
        openLinks()
        if let address = configuration.outgoing.outbindListen, share.rank == 0 {
            outbinds = OutbindListener(address: address, connector: self)
            outbinds?.open()
        }
        reportState()
    }

    /// The instances have changed: other sessions are ours.
    func change(to share: SessionShare) {
        self.share = share
        if let total = configuration.throughputPerSecond {
            rate?.change(to: share.rate(total, sessions: configuration.instances), now: monotonicMilliseconds())
        }
        let ours = Set(share.sessions(of: configuration.instances))
        for (index, link) in links where !ours.contains(index) {
            link.stop()
            links[index] = nil
            sessions[index]?.shutdown()
        }
        openLinks()
        reportState()
    }

    private func openLinks() {
        guard !isStopping else { return }
        for index in share.sessions(of: configuration.instances) where links[index] == nil {
            let link = ProviderLink(index: index, connector: self)
            links[index] = link
            if configuration.isStatic { link.connect() }
        }
    }

    func hold(_ isHeld: Bool) {
        guard self.isHeld != isHeld else { return }
        self.isHeld = isHeld
        logger.notice(isHeld ? "connector held" : "connector released", metadata: ["connector": "\(name)"])
        pump()
        reportState()
    }

    /// Leaves every session in order and binds anew.
    func bounce() {
        logger.notice("connector bounces", metadata: ["connector": "\(name)"])
        for session in sessions.values { session.shutdown() }
        for link in links.values { link.hurry() }
    }

    /// Unbinds every session: no more is sent, what is unanswered is waited for a while (`hasSessions` tells how long).
    func beginStop() {
        isStopping = true
        ticker?.cancel()
        outbinds?.close()
        for link in links.values { link.stop() }
        for session in sessions.values { session.shutdown() }
        health.remove("connector \(name)")
        board.remove(name)
    }

    private func ticked() {
        let now = monotonicMilliseconds()
        throttle.tick(now: now)
        paceAnew(now)
        if sessions.isEmpty || isHeld, now - lastExpiry >= ProviderConnector.expiryMilliseconds {
            lastExpiry = now
            for outgoing in queue.expired(now: wallClockMilliseconds()) { expire(outgoing) }
            report()
        }
        closeIdle(now)
        reportState()
        pump()
        report()
    }

    /// A connector that is not STATIC leaves when there was nothing to do for IDLETIMEOUT.
    private func closeIdle(_ now: Int64) {
        let idle = Int64(configuration.idleTimeoutSeconds) * 1_000
        guard !configuration.isStatic, idle > 0, queue.isEmpty else { return }
        for session in sessions.values where session.isQuiet(since: now - idle) { session.shutdown() }
    }

    // MARK: From the queue

    func add(_ messages: [(Claim, ShortMessage, [SubmitSm])], _ completed: [Completion]) {
        completions += completed
        for (claim, message, parts) in messages { queue.append(claim: claim, message: message, parts: parts) }
        if !book.isEmpty { follow(book.standings(of: messages.map(\.1.msgid))) }
        if !configuration.isStatic, !queue.isEmpty, sessions.isEmpty { for link in links.values { link.connect() } }
        pump()
        report()
    }

    // MARK: From the sessions

    func sessionBound(_ session: ProviderHandler, index: Int, bind: String, address: String) {
        sessions[index] = session
        rowIDs[index] = rows.opened(
            connector: name, account: configuration.username ?? "", bind: bind, remote: address, number: index)
        lastRefusal = ""
        reportState()
        pump()
        report()
    }

    /// - Parameter unanswered: what the session had sent and got no answer to.
    func sessionEnded(index: Int, unanswered: [Slot], why: String) {
        sessions[index] = nil
        if let id = rowIDs.removeValue(forKey: index) { rows.closed(id) }
        if !unanswered.isEmpty {
            logger.notice(
                "unanswered submits go back to the queue", metadata: ["connector": "\(name)", "count": "\(unanswered.count)"])
        }
        for slot in unanswered { slot.outgoing.isUncertain = true }
        giveBack(unanswered)
        lastRefusal = why
        reportState()
        pump()
        report()
    }

    /// An attempt to connect failed, or a session ended.
    func noteFailure(_ why: String, index: Int) {
        if why != lastRefusal {
            logger.warning("not connected", metadata: ["connector": "\(name)", "session": "\(index)", "reason": "\(why)"])
        }
        lastRefusal = why
        reportState()
    }

    /// Whether a lost session is to be opened again.
    var wantsConnection: Bool { !isStopping && (configuration.isStatic || !queue.isEmpty) }

    /// After a read cycle of a session: more may go out, and what was answered is written down.
    func cycleEnded() {
        pump()
        report()
    }

    // MARK: What others see

    private func reportState() {
        guard !isStopping else { return }
        let component = "connector \(name)"
        let isIdle = !configuration.isStatic && queue.isEmpty
        let reason = lastRefusal.isEmpty ? "connecting to \(configuration.addressText)" : lastRefusal
        let isWell = !sessions.isEmpty || isIdle
        health.set(component, isWell ? .healthy : .failing(reason))
        let word: ConnectorState.Word = isHeld ? .held : !sessions.isEmpty ? .bound : isIdle ? .idle : .connecting
        board.set(
            ConnectorState(
                connector: name, state: word, sessions: sessions.count, wanted: links.count,
                windowSize: sessions.values.reduce(0) { $0 + $1.windowSize },
                unanswered: sessions.values.reduce(0) { $0 + $1.unanswered }, waiting: queue.count, rate: throttle.acceptedRate,
                throttledTo: throttle.limit, detail: isWell ? "" : reason))
    }

    // MARK: What providers send

    /// A message or a receipt. Answered by the session once the broker has it.
    func delivered(_ pdu: DeliverSm, as command: CommandID, to session: ProviderHandler, sequenceNumber: UInt32) {
        receipts.take(pdu, as: command, from: session, connector: self, sequenceNumber: sequenceNumber)
    }

    /// The key of an id in a receipt; logs what was found out about ids once it is certain.
    func receiptKey(of id: String) -> String {
        let (wasSettled, before) = (ids.isSettled, ids.rule)
        defer {
            if ids.rule != before { board.learnt(ids.rule, of: name, address: configuration.addressText) }
            if !wasSettled, ids.isSettled, let rule = ids.rule {
                logger.notice(
                    "message ids are written differently in answers and receipts",
                    metadata: ["connector": "\(name)", "answer_base": "\(rule.answerBase)", "receipt_base": "\(rule.receiptBase)"])
            }
        }
        return ids.receipt(id)
    }
}
