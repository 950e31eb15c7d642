import Logging
import NIOCore
import SMPP

/// One session of the simulator: it moves octets between the channel and the session machine, and answers what comes.
final class SessionHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    enum DeliverResult { case sent, windowFull, impossible }

    let core: Core
    private(set) var number = 0
    private(set) var systemID = ""
    private(set) var channel: (any Channel)?
    private var session: Session<Delivery>
    private var framer = Framer()
    private var writes = ByteBuffer()
    private var wasBound = false
    private var isOver = false
    private var isReading = false
    private var closeReason = "peerVanished"
    private var timerDueAt: Int64?
    /// Answers that wait for their time, next first.
    private var delayed: Deque = []
    private typealias Deque = CircularBuffer<(dueAt: Int64, answer: Answer)>

    /// An answer and what the journal says of it.
    struct Answer {
        var pdu: PDU
        var smscid: String
        var source: String
        var destination: String
        /// What the destination asks for; see ``MagicNumber``.
        var deed: MagicNumber.Deed?
    }

    /// An answer that is held back until another one has been sent.
    private var heldBack: Answer?
    /// We opened the connection, and ask the peer to bind.
    private let saysOutbind: Bool

    init(core: Core, saysOutbind: Bool = false) {
        self.core = core
        self.saysOutbind = saysOutbind
        self.session = Session(role: .smsc, configuration: core.configuration.session, now: core.now)
    }

    // MARK: Channel

    func channelActive(context: ChannelHandlerContext) {
        self.channel = context.channel
        self.number = self.core.sessionOpened(self)
        if self.saysOutbind {
            self.obey(
                self.session.outbind(Outbind(systemID: "signalbox-smsc", password: self.core.configuration.outbindPassword)),
                now: self.core.now)
            self.flushWrites()
        }
        self.armTimer()
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var buffer = self.unwrapInboundIn(data)
        self.framer.append(&buffer)
        self.isReading = true
        let now = self.core.now
        while !self.isOver, let framed = self.framer.next() { self.obey(self.session.received(framed, now: now), now: now) }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        self.isReading = false
        if self.session.boundKind?.receives == true { self.core.pump(self.systemID) }
        self.flushWrites()
        self.armTimer()
        context.fireChannelReadComplete()
    }

    /// A peer that does not read is not read from either: what waits to be written to it stays bounded.
    func channelWritabilityChanged(context: ChannelHandlerContext) {
        try? context.channel.syncOptions?.setOption(.autoRead, value: context.channel.isWritable)
        if context.channel.isWritable, self.session.boundKind?.receives == true { self.core.pump(self.systemID) }
        context.fireChannelWritabilityChanged()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.closeReason = "error"
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.isOver = true
        let unanswered = self.session.ended()
        for delivery in unanswered { self.noteAck(delivery, sequence: nil, detail: "ENDED") }
        self.core.journal?.note(.close, systemID: self.systemID, session: self.number, detail: self.closeReason)
        self.core.sessionClosed(self, wasBound: self.wasBound, unanswered: unanswered)
        self.core.journal?.flush()
        self.channel = nil
        context.fireChannelInactive()
    }

    // MARK: Actions

    private func obey(_ action: SessionAction<Delivery>, now: Int64) {
        switch action {
        case .deliver(let pdu):
            self.requestReceived(pdu, now: now)
        case .authenticate(let bind):
            self.authenticate(bind, now: now)
        case .completed(let delivery, let pdu):
            self.deliveryAnswered(delivery, pdu)
        case .unreadable(let delivery, _):
            self.noteAck(delivery, sequence: nil, detail: "UNREADABLE")
            self.core.sendAgain([delivery], systemID: self.systemID)
        case .write(let pdu):
            self.write(pdu)
        case .writeAndClose(let pdu, let reason):
            if reason == .peerUnbound { self.core.journal?.note(.unbind, systemID: self.systemID, session: self.number) }
            self.write(pdu)
            self.close(reason)
        case .close(let reason):
            self.close(reason)
        case .bound, .ignore, .none:
            break
        }
    }

    private func close(_ reason: CloseReason) {
        self.closeReason = reason.rawValue
        self.isOver = true
        self.flushWrites()
        self.channel?.close(promise: nil)
    }

    private func write(_ pdu: PDU) {
        do throws(PDUError) {
            try pdu.encode(into: &self.writes)
        } catch {
            self.core.logger.error("An answer cannot be encoded", metadata: ["error": "\(error)"])
        }
    }

    /// One write and one flush for all that has gathered. Inside a read cycle it waits for the cycle's end.
    func flushWrites() {
        guard !self.isReading || self.isOver, self.writes.readableBytes > 0, let channel else { return }
        self.core.journal?.flush()
        self.core.arrivals?.flush()
        channel.writeAndFlush(self.writes, promise: nil)
        self.writes = ByteBuffer()
        self.armTimer()
    }

    func unbind() {
        self.obey(self.session.unbind(now: self.core.now), now: self.core.now)
        self.flushWrites()
        self.armTimer()
    }

    private func authenticate(_ bind: Bind, now: Int64) {
        let configuration = self.core.configuration
        var status = CommandStatus.ok
        if let expected = configuration.systemID, expected != bind.systemID { status = .invalidSystemID }
        if status == .ok, let expected = configuration.password, expected != bind.password { status = .invalidPassword }
        if self.core.isStopping { status = .bindFailed }
        self.systemID = bind.systemID
        var tlvs = TLVs()
        if status == .ok, bind.interfaceVersion.allowsTLVs { tlvs.set(.scInterfaceVersion, InterfaceVersion.v34.rawValue) }
        let response = BindResp(kind: bind.kind, systemID: status == .ok ? "signalbox-smsc" : nil, tlvs: tlvs)
        self.core.journal?.note(
            status == .ok ? .bind : .bindRefused, systemID: self.systemID, session: self.number,
            detail: status == .ok ? "\(bind.kind.commandID)" : "\(status)")
        self.obey(self.session.bindAnswered(status, response: response, now: now), now: now)
        guard status == .ok else { return }
        self.wasBound = true
        self.core.sessionBound(self, kind: bind.kind)
    }

    // MARK: Deliveries

    var hasRoom: Bool { self.session.room > 0 && self.channel?.isWritable == true }

    func deliver(_ delivery: Delivery) -> DeliverResult {
        let deliverSm: DeliverSm =
            switch delivery {
            case .receipt(let message): message.receipt()
            case .mobileOriginated(let deliverSm): deliverSm
            }
        var body = PDU.Body.deliverSm(deliverSm)
        if case .receipt(let message) = delivery, message.deed == .receiptAsDataSm {
            var tlvs = deliverSm.tlvs
            tlvs[.messagePayload] = deliverSm.shortMessage
            body = .dataSm(
                DataSm(
                    sourceAddr: deliverSm.sourceAddr, destinationAddr: deliverSm.destinationAddr, esmClass: deliverSm.esmClass,
                    dataCoding: deliverSm.dataCoding, tlvs: tlvs))
        }
        let sequence: UInt32
        do throws(RequestRefusal) {
            sequence = try self.session.request(body, context: delivery, now: self.core.now, into: &self.writes)
        } catch {
            switch error {
            case .notBound, .notPermitted, .windowFull: return .windowFull
            case .invalid: return .impossible
            }
        }
        switch delivery {
        case .receipt(let message):
            self.core.statistics.receiptsSent += 1
            self.core.journal?.note(
                .receipt, smscid: message.id, source: message.source.value, destination: message.destination.value,
                systemID: self.systemID, session: self.number, sequence: sequence,
                detail: message.finalState.state.statWord ?? "\(message.finalState.state.rawValue)")
        case .mobileOriginated(let deliverSm):
            self.core.statistics.mobileOriginatedSent += 1
            self.core.journal?.note(
                .mobileOriginated, source: deliverSm.sourceAddr.value, destination: deliverSm.destinationAddr.value,
                text: self.core.configuration.mobileOriginated?.text ?? "", systemID: self.systemID, session: self.number,
                sequence: sequence)
        }
        return .sent
    }

    private func deliveryAnswered(_ delivery: Delivery, _ pdu: PDU) {
        self.noteAck(delivery, sequence: pdu.sequenceNumber, detail: "\(pdu.commandStatus)")
        switch pdu.commandStatus {
        case .messageQueueFull, .throttled, .temporaryAppError, .systemError:
            self.core.postpone(delivery, systemID: self.systemID)
        default:  // taken, or refused for good
            guard case .receipt = delivery else { return }
            self.core.statistics.openReceipts -= 1
            self.core.statistics.receiptsAcknowledged += pdu.commandStatus == .ok ? 1 : 0
        }
    }

    private func noteAck(_ delivery: Delivery, sequence: UInt32?, detail: String) {
        switch delivery {
        case .receipt(let message):
            self.core.journal?.note(
                .receiptAck, smscid: message.id, source: message.source.value, destination: message.destination.value,
                systemID: self.systemID, session: self.number, sequence: sequence, detail: detail)
        case .mobileOriginated(let deliverSm):
            self.core.journal?.note(
                .mobileOriginatedAck, source: deliverSm.sourceAddr.value, destination: deliverSm.destinationAddr.value,
                systemID: self.systemID, session: self.number, sequence: sequence, detail: detail)
        }
    }

    // MARK: Answers

    /// Answers now, or after the delay that the configuration or the destination asks for.
    func answer(_ answer: Answer, now: Int64) {
        let configuration = self.core.configuration
        var delay = configuration.answerDelayMilliseconds
        if configuration.answerJitterMilliseconds > 0 { delay += Int64.random(in: 0...configuration.answerJitterMilliseconds) }
        switch answer.deed {
        case .answerLate(let milliseconds): delay += milliseconds
        case .receiptEarly: delay += 300
        default: break
        }
        guard delay > 0 else { return self.send(answer) }
        let due = now + delay
        if let last = self.delayed.last, last.dueAt > due {
            let index = self.delayed.firstIndex { $0.dueAt > due } ?? self.delayed.endIndex
            self.delayed.insert((due, answer), at: index)
        } else {
            self.delayed.append((due, answer))
        }
    }

    private func send(_ answer: Answer) {
        self.session.requestsAnswered()
        // Only what is taken is played with; a refusal is a refusal.
        switch answer.pdu.commandStatus == .ok ? answer.deed : nil {
        case .silence: return
        case .garbage:
            self.writes.writeRepeatingByte(0xFF, count: 64)
            return
        case .cut:
            self.channel?.close(promise: nil)
            return
        case .outOfOrder where self.heldBack == nil:
            self.heldBack = answer
            return
        case .answerTwice: self.write(answer.pdu)
        default: break
        }
        self.core.journal?.note(
            .answer, smscid: answer.smscid, source: answer.source, destination: answer.destination, systemID: self.systemID,
            session: self.number, sequence: answer.pdu.sequenceNumber, detail: "\(answer.pdu.commandStatus)")
        self.write(answer.pdu)
        guard let held = self.heldBack else { return }
        self.heldBack = nil
        self.write(held.pdu)
    }

    // MARK: The timer

    private func armTimer() {
        guard !self.isOver, let channel else { return }
        var due = self.session.nextDeadline ?? .max
        if let first = self.delayed.first { due = min(due, first.dueAt) }
        guard due != .max else { return }
        // A timer that comes too early does no harm: it is armed again for the rest.
        if let timerDueAt, timerDueAt <= due { return }
        self.timerDueAt = due
        let deadline = NIODeadline.uptimeNanoseconds(UInt64(clamping: max(0, due)) * 1_000_000)
        channel.eventLoop.assumeIsolated().scheduleTask(deadline: deadline) { self.timerFired(due) }
    }

    private func timerFired(_ due: Int64) {
        guard self.timerDueAt == due else { return }
        self.timerDueAt = nil
        guard !self.isOver else { return }
        let now = self.core.now
        while let first = self.delayed.first, first.dueAt <= now {
            self.delayed.removeFirst()
            self.send(first.answer)
        }
        let outcome = self.session.timerFired(now: now)
        for delivery in outcome.timedOut { self.noteAck(delivery, sequence: nil, detail: "TIMEOUT") }
        self.obey(outcome.action, now: now)
        self.core.sendAgain(outcome.timedOut, systemID: self.systemID)
        self.flushWrites()
        self.armTimer()
    }
}
