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

/// One outgoing SMPP connector on this instance: its sessions, over what all connectors have. Lives on one event loop with them.
final class ProviderConnector: QueueConnector<SubmitSm> {
    private let receipts: ReceiptIntake
    private let rows: SessionRows
    private(set) var sessions: [Int: ProviderHandler] = [:]
    private var rowIDs: [Int: String] = [:]
    private var links: [Int: ProviderLink] = [:]
    private var outbinds: OutbindListener?
    private var isOpen = false
    private var lastRefusal = ""
    var ids: MessageIDKeys

    init(_ setup: ConnectorSetup, _ writer: PartWriter, receipts: ReceiptIntake, rows: SessionRows, knownIDs: MessageIDRule?) {
        self.receipts = receipts
        self.rows = rows
        ids = MessageIDKeys(setup.configuration.outgoing, known: knownIDs)
        super.init(setup, writer, counters: EgressMetrics.common)
    }

    // MARK: Orders

    override func shareChanged() {
        let ours = Set(share.sessions(of: configuration.instances))
        for (index, link) in links where !ours.contains(index) {
            link.stop()
            links[index] = nil
            sessions[index]?.shutdown()
        }
        openLinks()
        guard !isOpen else { return }
        isOpen = true
        if let address = configuration.outgoing.outbindListen, share.rank == 0 {
            outbinds = OutbindListener(address: address, connector: self)
            outbinds?.open()
        }
    }

    private func openLinks() {
        guard !isStopping else { return }
        for index in share.sessions(of: configuration.instances) where links[index] == nil {
            let link = ProviderLink(index: index, connector: self)
            links[index] = link
            if configuration.isStatic { link.connect() }
        }
    }

    /// Leaves every session in order and binds anew.
    override func bounce() {
        logger.notice("connector bounces", metadata: ["connector": "\(name)"])
        for session in sessions.values { session.shutdown() }
        for link in links.values { link.hurry() }
    }

    /// Unbinds every session.
    override func stopping() {
        outbinds?.close()
        for link in links.values { link.stop() }
        for session in sessions.values { session.shutdown() }
    }

    override var isBusy: Bool { !sessions.isEmpty }
    override var isCutOff: Bool { sessions.isEmpty }

    /// A connector that is not STATIC leaves when there was nothing to do for IDLETIMEOUT.
    override func ticked(now: Int64) {
        let idle = Int64(configuration.idleTimeoutSeconds) * 1_000
        guard !configuration.isStatic, idle > 0, queue.isEmpty else { return }
        for session in sessions.values where session.isQuiet(since: now - idle) { session.shutdown() }
    }

    override func arrived() {
        if !configuration.isStatic, !queue.isEmpty, sessions.isEmpty { for link in links.values { link.connect() } }
    }

    override func pump() { fillWindows() }

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

    override func reportState() {
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
                unanswered: sessions.values.reduce(0) { $0 + $1.unanswered }, waiting: queue.count, rate: limits.acceptedRate,
                throttledTo: limits.throttledTo, detail: isWell ? "" : reason))
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
