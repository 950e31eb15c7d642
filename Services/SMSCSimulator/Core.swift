import Logging
import NIOCore
import SMPP

/// Everything that the simulator's sessions share. It lives on one event loop and is touched nowhere else.
final class Core {
    let configuration: SMSCConfiguration
    let eventLoop: any EventLoop
    let journal: Journal?
    let arrivals: ArrivalLog?
    let logger: Logger
    var statistics = SMSCStatistics()

    private var sessions: [Int: SessionHandler] = [:]
    private var sessionsMade = 0
    private var idBase: Int64
    /// Bound sessions that can receive, and deliveries that wait for one, by system_id.
    private var mailboxes: [String: Mailbox] = [:]
    /// Receipts that wait for their time: all wait equally long, so the first is the next.
    private var scheduled = CircularBuffer<SimulatedMessage>()
    /// Deliveries that the peer refused for now.
    private var postponed = CircularBuffer<(dueAt: Int64, systemID: String, delivery: Delivery)>()
    /// Receipts at a time of their own; the next first.
    private var later: [(dueAt: Int64, message: SimulatedMessage)] = []
    /// Destinations whose first submit was refused (`MagicNumber`), and the latest id by destination. Both for tests: bounded by them.
    private var refusedOnce: Set<String> = []
    private var latestIDs: [String: (id: String, receiptID: String)] = [:]
    private var rateTokens = 1.0
    private var rateFilledAt: Int64 = 0
    private var remembered: [String: SimulatedMessage] = [:]
    private var rememberedOrder = CircularBuffer<String>()
    private var timerDueAt: Int64?
    private var nextMobileOriginatedAt: Int64?
    private(set) var isStopping = false

    struct Mailbox {
        var receivers: [SessionHandler] = []
        var waiting = CircularBuffer<Delivery>()
        var turn = 0
    }

    /// Before a delivery that the peer refused for now is sent again.
    private static let postponeMilliseconds: Int64 = 1_000
    /// MO messages that wait for a receiver, per system_id; more are not made up.
    private static let maximumWaitingMobileOriginated = 1_000

    init(configuration: SMSCConfiguration, eventLoop: any EventLoop, logger: Logger) throws {
        self.configuration = configuration
        self.eventLoop = eventLoop
        self.logger = logger
        self.journal = try configuration.journalPath.map { path throws(Journal.CannotOpen) in try Journal(path: path) }
        self.arrivals = try configuration.arrivalsPath.map { path throws(Journal.CannotOpen) in try ArrivalLog(path: path) }
        // A thousand ids for each millisecond that passes: a simulator started again does not repeat itself.
        self.idBase = epochMilliseconds() * 1_000
    }

    var now: Int64 { Int64(NIODeadline.now().uptimeNanoseconds / 1_000_000) }

    // MARK: Sessions

    func sessionOpened(_ handler: SessionHandler) -> Int {
        self.sessionsMade += 1
        self.sessions[self.sessionsMade] = handler
        return self.sessionsMade
    }

    func sessionBound(_ handler: SessionHandler, kind: BindKind) {
        self.statistics.boundSessions += 1
        guard kind.receives else { return }
        self.mailboxes[handler.systemID, default: Mailbox()].receivers.append(handler)
        if let mobileOriginated = self.configuration.mobileOriginated, self.nextMobileOriginatedAt == nil {
            self.nextMobileOriginatedAt = self.now + max(1, mobileOriginated.intervalMilliseconds)
            self.armTimer()
        }
    }

    /// - Parameter unanswered: what the session had sent and nobody answered, oldest first: it goes out again.
    func sessionClosed(_ handler: SessionHandler, wasBound: Bool, unanswered: [Delivery]) {
        self.sessions[handler.number] = nil
        if wasBound { self.statistics.boundSessions -= 1 }
        self.mailboxes[handler.systemID]?.receivers.removeAll { $0 === handler }
        self.sendAgain(unanswered, systemID: handler.systemID)
    }

    func sendAgain(_ deliveries: [Delivery], systemID: String) {
        guard !deliveries.isEmpty, !self.isStopping else { return }
        for delivery in deliveries.reversed() { self.mailboxes[systemID, default: Mailbox()].waiting.prepend(delivery) }
        self.pump(systemID)
    }

    /// Unbinds every session; their channels close one by one.
    func stop() -> [any Channel] {
        self.isStopping = true
        let channels = self.sessions.values.compactMap(\.channel)
        for handler in Array(self.sessions.values) { handler.unbind() }
        self.journal?.flush()
        self.arrivals?.flush()
        return channels
    }

    func disconnectAll() {
        for handler in Array(self.sessions.values) { handler.channel?.close(promise: nil) }
    }

    // MARK: Messages

    /// A new message's id, and how its receipt writes it.
    func makeID() -> (id: String, receiptID: String) {
        self.idBase += 1
        let number = self.idBase
        func write(_ format: SMSCConfiguration.IDFormat) -> String {
            switch format {
            case .decimal: String(number)
            case .hex: String(number, radix: 16, uppercase: true)
            case .uuid: Self.randomUUID()
            }
        }
        let id = write(self.configuration.idFormat)
        guard self.configuration.idFormat != .uuid, let other = self.configuration.receiptIDFormat, other != .uuid else {
            return (id, id)
        }
        return (id, write(other))
    }

    /// The id of a message, for numbers that want that of the message before it.
    func makeID(for destination: String, deed: MagicNumber.Deed?) -> (id: String, receiptID: String) {
        guard deed == .sameID else { return self.makeID() }
        if let known = self.latestIDs.removeValue(forKey: destination) { return known }
        let id = self.makeID()
        self.latestIDs[destination] = id
        return id
    }

    /// Whether this is the first submit to a number whose first submit is to be refused.
    func isFirst(_ destination: String) -> Bool { self.refusedOnce.insert(destination).inserted }

    /// Whether a submit is within the rate.
    func takeRate() -> Bool {
        let rate = self.configuration.maximumRatePerSecond
        guard rate > 0 else { return true }
        let now = self.now
        self.rateTokens = min(max(1, rate / 10), self.rateTokens + Double(now - self.rateFilledAt) * rate / 1_000)
        self.rateFilledAt = now
        guard self.rateTokens >= 1 else { return false }
        self.rateTokens -= 1
        return true
    }

    private static func randomUUID() -> String {
        var text = ""
        for length in [8, 4, 4, 4, 12] {
            if !text.isEmpty { text += "-" }
            for _ in 0..<length { text += String(UInt8.random(in: 0..<16), radix: 16) }
        }
        return text
    }

    var hasRoomForReceipt: Bool { self.statistics.openReceipts < self.configuration.maximumOpenReceipts }

    func pickFinalState() -> SMSCConfiguration.FinalState {
        let states = self.configuration.finalStates.filter { $0.weight > 0 }
        let sum = states.reduce(0) { $0 + $1.weight }
        guard states.count > 1, sum > 0 else { return states.first ?? .init(.delivered, weight: 1) }
        var point = Int.random(in: 0..<sum)
        for state in states {
            if point < state.weight { return state }
            point -= state.weight
        }
        return states[0]
    }

    func accept(_ message: SimulatedMessage) {
        self.remember(message)
        guard self.configuration.sendsReceipts, message.registeredDelivery.receipt != 0 else { return }
        self.statistics.openReceipts += 1
        switch message.deed {
        case .receiptEarly: self.deliver(later: message, at: self.now)
        case .receiptLate(let milliseconds): self.deliver(later: message, at: message.dueAt + milliseconds)
        case .receiptTwice:
            self.statistics.openReceipts += 1
            self.deliver(later: message, at: message.dueAt)
            self.deliver(later: message, at: message.dueAt + 200)
        default: self.scheduled.append(message)
        }
        self.armTimer()
    }

    private func deliver(later message: SimulatedMessage, at due: Int64) {
        let index = self.later.firstIndex { $0.dueAt > due } ?? self.later.endIndex
        self.later.insert((due, message), at: index)
    }

    /// A message from the recipient of a submit back to its sender.
    func reply(to submit: SubmitSm, systemID: String) {
        let deliverSm = DeliverSm(
            sourceAddr: submit.destinationAddr, destinationAddr: submit.sourceAddr, esmClass: submit.esmClass,
            dataCoding: submit.dataCoding, shortMessage: submit.shortMessage)
        self.mailboxes[systemID, default: Mailbox()].waiting.append(.mobileOriginated(deliverSm))
        self.pump(systemID)
    }

    private func remember(_ message: SimulatedMessage) {
        guard self.configuration.maximumRememberedMessages > 0 else { return }
        if self.remembered.updateValue(message, forKey: message.id) == nil { self.rememberedOrder.append(message.id) }
        if self.rememberedOrder.count > self.configuration.maximumRememberedMessages, let oldest = self.rememberedOrder.popFirst() {
            self.remembered[oldest] = nil
        }
    }

    /// A message of this system_id; nobody sees another's.
    func message(_ id: String, systemID: String) -> SimulatedMessage? {
        guard let message = self.remembered[id], message.systemID == systemID else { return nil }
        return message
    }

    // MARK: Deliveries

    /// Sends what waits for this system_id to its receivers in turn, as far as their windows allow.
    func pump(_ systemID: String) {
        self.fillWindows(systemID)
        for receiver in self.mailboxes[systemID]?.receivers ?? [] { receiver.flushWrites() }
    }

    private func fillWindows(_ systemID: String) {
        while let delivery = self.mailboxes[systemID]?.waiting.first {
            guard let receiver = self.nextReceiver(systemID) else { return }
            self.mailboxes[systemID]?.waiting.removeFirst()
            switch receiver.deliver(delivery) {
            case .sent:
                break
            case .windowFull:  // nextReceiver saw room; if it is gone after all, the delivery goes back
                self.mailboxes[systemID]?.waiting.prepend(delivery)
                return
            case .impossible:
                if case .receipt = delivery { self.statistics.openReceipts -= 1 }
                self.logger.warning("A delivery cannot be encoded and is dropped")
            }
        }
    }

    private func nextReceiver(_ systemID: String) -> SessionHandler? {
        guard let mailbox = self.mailboxes[systemID], !mailbox.receivers.isEmpty else { return nil }
        for step in 0..<mailbox.receivers.count {
            let index = (mailbox.turn + step) % mailbox.receivers.count
            if mailbox.receivers[index].hasRoom {
                self.mailboxes[systemID]?.turn = index + 1
                return mailbox.receivers[index]
            }
        }
        return nil
    }

    func postpone(_ delivery: Delivery, systemID: String) {
        self.postponed.append((self.now + Self.postponeMilliseconds, systemID, delivery))
        self.armTimer()
    }

    // MARK: The timer

    private func armTimer() {
        guard !self.isStopping else { return }
        var due = Int64.max
        if let first = self.scheduled.first { due = min(due, first.dueAt) }
        if let first = self.postponed.first { due = min(due, first.dueAt) }
        if let first = self.later.first { due = min(due, first.dueAt) }
        if let next = self.nextMobileOriginatedAt { due = min(due, next) }
        guard due != .max else { return }
        if let timerDueAt, timerDueAt <= due { return }
        self.timerDueAt = due
        let deadline = NIODeadline.uptimeNanoseconds(UInt64(clamping: due) * 1_000_000)
        self.eventLoop.assumeIsolated().scheduleTask(deadline: deadline) { self.timerFired(due) }
    }

    private func timerFired(_ due: Int64) {
        // An earlier one was armed after this one: that one did the work.
        guard self.timerDueAt == due else { return }
        self.timerDueAt = nil
        guard !self.isStopping else { return }
        let now = self.now
        var concerned: Set<String> = []
        var due: [SimulatedMessage] = []
        while let first = self.scheduled.first, first.dueAt <= now {
            self.scheduled.removeFirst()
            due.append(first)
        }
        while let first = self.later.first, first.dueAt <= now {
            self.later.removeFirst()
            due.append(first.message)
        }
        for first in due {
            if first.registeredDelivery.wantsReceipt(delivered: first.finalState.state == .delivered) {
                self.mailboxes[first.systemID, default: Mailbox()].waiting.append(.receipt(first))
                concerned.insert(first.systemID)
            } else {
                self.statistics.openReceipts -= 1
            }
        }
        while let first = self.postponed.first, first.dueAt <= now {
            self.postponed.removeFirst()
            self.mailboxes[first.systemID, default: Mailbox()].waiting.append(first.delivery)
            concerned.insert(first.systemID)
        }
        if let next = self.nextMobileOriginatedAt, next <= now { concerned.formUnion(self.makeUpMobileOriginated(now)) }
        for systemID in concerned { self.pump(systemID) }
        self.journal?.flush()
        self.armTimer()
    }

    private func makeUpMobileOriginated(_ now: Int64) -> [String] {
        guard let wanted = self.configuration.mobileOriginated else { return [] }
        self.nextMobileOriginatedAt = now + max(1, wanted.intervalMilliseconds)
        let deliverSm = DeliverSm(
            sourceAddr: SMEAddress(ton: .international, npi: .isdn, value: wanted.source),
            destinationAddr: SMEAddress(ton: .international, npi: .isdn, value: wanted.destination),
            shortMessage: Array(wanted.text.utf8.prefix(140)))
        var concerned: [String] = []
        for (systemID, mailbox) in self.mailboxes where !mailbox.receivers.isEmpty {
            guard mailbox.waiting.count < Self.maximumWaitingMobileOriginated else { continue }
            self.mailboxes[systemID]?.waiting.append(.mobileOriginated(deliverSm))
            concerned.append(systemID)
        }
        return concerned
    }
}
