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

/// One outgoing HTTP connector on this instance: its requests, over what all connectors have. Lives on one event loop with them.
final class HTTPConnector: QueueConnector<MessageValues> {
    let http: ProviderHTTPOptions
    /// Whether a message goes out in one request, however many parts it takes.
    let isWhole: Bool
    private(set) var client: ProviderClient
    /// Requests that are neither answered nor given up.
    var underWay = 0
    var window: WindowControl
    var reach: Reach

    init(_ setup: ConnectorSetup, _ parts: RequestParts, http: ProviderHTTPOptions, client: ProviderClient) {
        self.http = http
        self.client = client
        isWhole = parts.isWhole
        window = HTTPConnector.window(setup.configuration, setup.share, monotonicMilliseconds())
        reach = Reach(setup.configuration.outgoing)
        super.init(setup, parts, counters: EgressMetrics.common)
    }

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

    override func shareChanged() { window = HTTPConnector.window(configuration, share, monotonicMilliseconds()) }

    /// New connections, with certificates read anew, and no waiting for old failures. What is under way is still answered on the old.
    override func bounce() {
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

    override var isBusy: Bool { underWay > 0 }
    override var isCutOff: Bool { reach.isDown }
    override func close() { client.close() }
    override func pump() { fillWindow() }

    // MARK: What others see

    override func reportState() {
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
