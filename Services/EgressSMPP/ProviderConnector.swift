import Bus
import Charset
import Configuration
import Logging
import Message
import NIOCore
import NIOPosix
import SMPP
import SMPPMessage
import ServiceKit
import SwiftProtobuf

/// One outgoing connector on this instance: its queue, its sessions, and what their answers come to.
///
/// Lives on one event loop, like all its sessions: an answer costs no hop. `QueueFeed` is the way in from elsewhere.
final class ProviderConnector {
    let eventLoop: any EventLoop
    let configuration: ConnectorConfiguration
    let logger: Logger
    private let health: Health
    private let receipts: ReceiptIntake
    private let rows: SessionRows
    private var stage: WindowedStage?
    private var queue = SubmitQueue<SubmitSm>()
    private var sessions: [Int: ProviderHandler] = [:]
    private var rowIDs: [Int: String] = [:]
    private var links: [ProviderLink] = []
    private var completions: [Completion] = []
    /// Parts that were sent and that nothing is recorded of yet, answered ones included. Never more than the windows hold, so that a
    /// crash repeats at most a window (promise 3); a message of several parts that was begun is sent to its end all the same.
    private var held = 0
    private var isStopping = false
    private var lastRefusal = ""

    init(
        configuration: ConnectorConfiguration, environment: ServiceEnvironment, health: Health, receipts: ReceiptIntake, rows: SessionRows,
        eventLoop: any EventLoop
    ) {
        self.configuration = configuration
        self.eventLoop = eventLoop
        self.health = health
        self.receipts = receipts
        self.rows = rows
        logger = environment.logger
    }

    var name: String { configuration.name }

    func start(_ stage: WindowedStage) {
        self.stage = stage
        reportHealth()
        for index in 0..<max(1, configuration.instances) {
            let link = ProviderLink(index: index, connector: self)
            links.append(link)
            if configuration.isStatic { link.connect() }
        }
    }

    /// Unbinds every session: no more is sent, what is unanswered is waited for a while (`hasSessions` tells how long).
    func beginStop() {
        isStopping = true
        for link in links { link.stop() }
        for session in sessions.values { session.shutdown() }
        health.remove("connector \(name)")
    }

    var hasSessions: Bool { !sessions.isEmpty }

    // MARK: From the queue

    func add(_ messages: [(Claim, ShortMessage, [SubmitSm])], _ completed: [Completion]) {
        completions += completed
        for (claim, message, parts) in messages { queue.append(claim: claim, message: message, parts: parts) }
        if !configuration.isStatic, sessions.isEmpty { for link in links { link.connect() } }
        pump()
        report()
    }

    // MARK: From the sessions

    func sessionBound(_ session: ProviderHandler, index: Int, bind: String, address: String) {
        sessions[index] = session
        rowIDs[index] = rows.opened(
            connector: name, account: configuration.username ?? "", bind: bind, remote: address, number: index)
        lastRefusal = ""
        reportHealth()
        pump()
        report()
    }

    /// - Parameter unanswered: what the session had sent and got no answer to.
    func sessionEnded(index: Int, unanswered: [SubmitQueue<SubmitSm>.Slot], why: String) {
        sessions[index] = nil
        if let id = rowIDs.removeValue(forKey: index) { rows.closed(id) }
        if !unanswered.isEmpty {
            logger.notice(
                "unanswered submits go back to the queue", metadata: ["connector": "\(name)", "count": "\(unanswered.count)"])
        }
        giveBack(unanswered)
        lastRefusal = why
        reportHealth()
        pump()
        report()
    }

    /// A provider's answer to one part.
    func answered(_ slot: SubmitQueue<SubmitSm>.Slot, status: CommandStatus, smscid: String) {
        EgressMetrics.answers.add()
        if status == .ok {
            switch queue.answered(slot, smscid: smscid) {
            case .open: break
            case .putOff: putOff(slot.outgoing)
            case .taken(let ids):
                let message = slot.outgoing.message
                complete(
                    slot.outgoing, Outcome.submitted(message, connector: name, smscids: ids, expectsReports: configuration.dlrSupport))
            }
            return
        }
        switch AnswerPolicy.of(commandStatus: status.rawValue) {
        case .slowDown: return giveBack([slot])
        case .retry:
            if queue.putOff(slot, by: status.rawValue) { putOff(slot.outgoing) }
            return
        case .refuse: break
        }
        guard queue.fail(slot) else { return }
        EgressMetrics.refused.add()
        complete(
            slot.outgoing,
            Outcome.ended(
                slot.outgoing.message, connector: name, as: .rejected, reason: status.rawValue, text: "the provider refused it: \(status)"))
    }

    /// Hands a message's end to the stage; what is held of it stays held until that is recorded.
    private func complete(_ outgoing: SubmitQueue<SubmitSm>.Outgoing, _ outputs: OutgoingRecord...) {
        completions.append(Completion(claim: outgoing.claim, outputs: outputs, weight: outgoing.held))
        outgoing.held = 0
    }

    /// The stage has written down what became of that many parts.
    func recorded(_ parts: Int) {
        held -= parts
        pump()
        report()
    }

    /// Submits that were not answered in time: their session closes, and they go out again.
    func unanswered(_ slots: [SubmitQueue<SubmitSm>.Slot]) { giveBack(slots) }

    private func giveBack(_ slots: [SubmitQueue<SubmitSm>.Slot]) {
        for slot in slots where !slot.outgoing.isSettled {
            slot.outgoing.held -= 1
            held -= 1
        }
        for outgoing in queue.giveBack(slots) { putOff(outgoing) }
    }

    /// The message leaves for later, or ends where there is no later for it.
    private func putOff(_ outgoing: SubmitQueue<SubmitSm>.Outgoing) {
        EgressMetrics.putOff.add()
        let taken = outgoing.smscids.enumerated().compactMap { index, smscid in
            smscid.map { smscid in
                var part = TakenPart()
                part.part = UInt32(index)
                part.smscid = smscid
                return part
            }
        }
        let outputs = Outcome.putOff(
            outgoing.message, takenParts: taken, connector: name, queue: outgoing.claim.topic,
            by: CommandStatus(rawValue: outgoing.putOffBy ?? 0))
        completions.append(Completion(claim: outgoing.claim, outputs: outputs, weight: outgoing.held))
        outgoing.held = 0
    }

    /// An attempt to connect failed, or a session ended.
    func noteFailure(_ why: String, index: Int) {
        if why != lastRefusal {
            logger.warning("not connected", metadata: ["connector": "\(name)", "session": "\(index)", "reason": "\(why)"])
        }
        lastRefusal = why
        reportHealth()
    }

    /// Whether a lost session is to be opened again.
    var wantsConnection: Bool { !isStopping && (configuration.isStatic || !queue.isEmpty) }

    /// After a read cycle of a session: more may go out, and what was answered is written down.
    func cycleEnded() {
        pump()
        report()
    }

    /// WINDOWSIZE of one session.
    private var windowSize: Int {
        switch configuration.windowSize {
        case .fixed(let size): max(1, size)
        case .automatic: ProviderHandler.automaticWindow
        }
    }

    /// Fills the windows, in the order of the queue.
    private func pump() {
        guard !isStopping, !queue.isEmpty, !sessions.isEmpty else { return }
        let now = wallClockMilliseconds()
        var open = sessions.values.filter { $0.room > 0 }
        let limit = windowSize * sessions.count
        while let session = open.first, held < limit || queue.nextContinues {
            guard session.room > 0 else {
                open.removeFirst()
                continue
            }
            guard let slot = queue.next() else { break }
            let message = slot.outgoing.message
            if message.expiresAt > 0, message.expiresAt <= now {
                if queue.fail(slot) {
                    let text = "validity period ended in the queue"
                    complete(slot.outgoing, Outcome.ended(message, connector: name, as: .expired, reason: 0, text: text))
                }
                continue
            }
            if message.times.submitted == 0 { slot.outgoing.message.times.submitted = now }
            if let problem = session.submit(slot) {
                guard queue.fail(slot) else { continue }
                complete(slot.outgoing, Outcome.ended(message, connector: name, as: .rejected, reason: 0, text: problem))
            } else {
                slot.outgoing.held += 1
                held += 1
                EgressMetrics.submits.add()
            }
            // One message after the other round the sessions.
            if open.count > 1 { open.append(open.removeFirst()) }
        }
        for session in sessions.values { session.flush() }
    }

    private func report() {
        guard !completions.isEmpty else { return }
        stage?.complete(completions)
        completions.removeAll(keepingCapacity: true)
    }

    private func reportHealth() {
        let component = "connector \(name)"
        if !sessions.isEmpty || (!configuration.isStatic && queue.isEmpty) {
            health.set(component, .healthy)
        } else {
            health.set(component, .failing(lastRefusal.isEmpty ? "connecting to \(configuration.addressText)" : lastRefusal))
        }
    }

    // MARK: What providers send

    /// A deliver_sm. Answered by the session once the broker has it.
    func delivered(_ pdu: DeliverSm, to session: ProviderHandler, sequenceNumber: UInt32) {
        receipts.take(pdu, from: session, connector: name, sequenceNumber: sequenceNumber, eventLoop: eventLoop)
    }
}
