import Bus
import Configuration
import Egress
import HTTPProvider
import Logging
import Message
import NIOCore
import NIOPosix
import ServiceKit
import Store

/// One outgoing HTTP connector on this instance: its queue, its requests, and what their answers come to.
///
/// Lives on one event loop, like its connections: an answer costs no hop. `HTTPQueueFeed` is the way in from elsewhere.
final class HTTPConnector {
    typealias Slot = SubmitQueue<MessageValues>.Slot
    typealias Outgoing = SubmitQueue<MessageValues>.Outgoing

    private static let tick = TimeAmount.milliseconds(250)
    /// Between two looks at messages that expire while nothing can be sent.
    private static let expiryMilliseconds: Int64 = 1_000

    let eventLoop: any EventLoop
    let configuration: ConnectorConfiguration
    let http: ProviderHTTPOptions
    let logger: Logger
    /// Whether a message goes out in one request, however many parts it takes.
    let isWhole: Bool
    private let health: Health
    private let board: StateBoard
    private(set) var client: ProviderClient
    private var stage: WindowedStage?
    var queue = SubmitQueue<MessageValues>()
    private var share: SessionShare
    var completions: [Completion] = []
    /// Parts that were sent and that nothing is recorded of yet, answered ones included: never more than the window holds, so that a
    /// crash repeats at most a window (promise 3); a message of several parts that was begun is sent to its end all the same.
    var held = 0
    /// Requests that are neither answered nor given up.
    var underWay = 0
    var window: WindowControl
    var limits: SendLimits
    var reach: Reach
    private(set) var isStopping = false
    private(set) var isHeld: Bool
    private var ticker: RepeatedTask?
    private var lastExpiry: Int64 = 0
    /// When the next look at the queue is scheduled, because a rate or a pause holds it up.
    var pumpAt: Int64?

    init(
        configuration: ConnectorConfiguration, http: ProviderHTTPOptions, client: ProviderClient, share: SessionShare,
        environment: ServiceEnvironment, health: Health, board: StateBoard, eventLoop: any EventLoop
    ) {
        self.configuration = configuration
        self.http = http
        self.client = client
        self.share = share
        self.eventLoop = eventLoop
        self.health = health
        self.board = board
        isWhole = RequestParts(http, configuration.outgoing).isWhole
        isHeld = configuration.outgoing.isHeld
        logger = environment.logger.at(configuration.trace.level?.rawValue)
        let now = monotonicMilliseconds()
        window = HTTPConnector.window(configuration, share, now)
        limits = SendLimits(
            perSecond: configuration.throughputPerSecond.map { share.rate($0, sessions: configuration.instances) }, now: now)
        reach = Reach(configuration.outgoing)
    }

    var name: String { configuration.name }
    var isBusy: Bool { underWay > 0 }

    /// A connection carries one request at a time: INSTANCES times WINDOWSIZE connections, of all instances together.
    private static func window(_ configuration: ConnectorConfiguration, _ share: SessionShare, _ now: Int64) -> WindowControl {
        switch configuration.windowSize {
        case .automatic: return WindowControl(.automatic, now: now)
        case .fixed(let size):
            return WindowControl(.fixed(size * max(1, share.sessions(of: configuration.instances).count)), now: now)
        }
    }

    /// Connections that this instance may have at most.
    static func connections(_ configuration: ConnectorConfiguration) -> Int {
        switch configuration.windowSize {
        case .automatic: WindowControl.largest
        case .fixed(let size): min(10_000, size * max(1, configuration.instances))
        }
    }

    // MARK: Orders

    func start(_ stage: WindowedStage) {
        self.stage = stage
        let loopBound = NIOLoopBound(self, eventLoop: eventLoop)
        ticker = eventLoop.scheduleRepeatedTask(initialDelay: HTTPConnector.tick, delay: HTTPConnector.tick) { _ in
            loopBound.value.ticked()
        }
        reportState()
    }

    /// The instances have changed: another part of the window and of the rate is ours.
    func change(to share: SessionShare) {
        self.share = share
        let now = monotonicMilliseconds()
        window = HTTPConnector.window(configuration, share, now)
        if let total = configuration.throughputPerSecond {
            limits.change(perSecond: share.rate(total, sessions: configuration.instances), now: now)
        }
        pump()
    }

    func hold(_ isHeld: Bool) {
        guard self.isHeld != isHeld else { return }
        self.isHeld = isHeld
        logger.notice(isHeld ? "connector held" : "connector released", metadata: ["connector": "\(name)"])
        pump()
        reportState()
    }

    /// New connections, with certificates read anew, and no waiting for old failures. What is under way is still answered on the old.
    func bounce() {
        logger.notice("connector bounces", metadata: ["connector": "\(name)"])
        reach.hurry()
        let loopBound = NIOLoopBound(self, eventLoop: eventLoop)
        let (configuration, eventLoop) = (configuration, eventLoop)
        NIOThreadPool.singleton.runIfActive(eventLoop: eventLoop) {
            try ProviderClient(configuration, connections: HTTPConnector.connections(configuration), eventLoop: eventLoop)
        }.whenComplete { loopBound.value.replaced($0) }
    }

    private func replaced(_ result: Result<ProviderClient, any Error>) {
        switch result {
        case .success(let fresh):
            let old = client
            let patience = TimeAmount.seconds(Int64(configuration.outgoing.responseTimeoutSeconds) + 1)
            if isStopping { return fresh.close() }
            client = fresh
            eventLoop.scheduleTask(in: patience) { old.close() }
            pump()
            report()
        case .failure(let error):
            logger.error("connections not renewed", metadata: ["connector": "\(name)", "error": "\(error)"])
        }
    }

    /// No more is sent; what is unanswered is waited for a while (`isBusy` tells how long), then `close` ends it.
    func beginStop() {
        isStopping = true
        ticker?.cancel()
        health.remove("connector \(name)")
        board.remove(name)
    }

    func close() { client.close() }

    private func ticked() {
        let now = monotonicMilliseconds()
        limits.tick(now: now)
        if reach.isDown || isHeld, now - lastExpiry >= HTTPConnector.expiryMilliseconds {
            lastExpiry = now
            for outgoing in queue.expired(now: wallClockMilliseconds()) { expire(outgoing) }
        }
        pump()
        report()
        reportState()
    }

    // MARK: From the queue

    func add(_ messages: [(Claim, ShortMessage, [MessageValues])], _ completed: [Completion]) {
        completions += completed
        for (claim, message, parts) in messages { queue.append(claim: claim, message: message, parts: parts) }
        pump()
        report()
    }

    func report() {
        guard !completions.isEmpty else { return }
        stage?.complete(completions)
        completions.removeAll(keepingCapacity: true)
    }

    // MARK: What others see

    func reportState() {
        guard !isStopping else { return }
        let isIdle = queue.isEmpty && underWay == 0
        let isWell = !reach.isDown || isIdle
        health.set("connector \(name)", isWell ? .healthy : .failing(reach.trouble))
        let word: ConnectorState.Word = isHeld ? .held : reach.isUp ? .bound : isIdle ? .idle : .connecting
        let sessions = share.sessions(of: configuration.instances).count
        board.set(
            ConnectorState(
                connector: name, state: word, sessions: reach.isUp ? sessions : 0, wanted: sessions, windowSize: window.size,
                unanswered: underWay, waiting: queue.count, rate: limits.acceptedRate, throttledTo: limits.throttledTo,
                detail: reach.isDown ? reach.trouble : ""))
    }
}
