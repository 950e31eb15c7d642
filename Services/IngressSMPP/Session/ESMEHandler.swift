import Bus
import Configuration
import Ingress
import Logging
import Message
import NIOCore
import SMPP
import SMPPMessage
import ServiceKit
import Store

/// One client's connection: moves octets between the socket, the session machine and the bus.
///
/// Lives on its channel's event loop. Everything that goes out during a read cycle is written into one buffer and flushed once.
/// Binds are in ESMEHandler+Binding, messages in +Submitting, how fast they come in +Flow, questions in +Asking.
final class ESMEHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// How often the session's timers are looked at.
    private static let tick = TimeAmount.milliseconds(500)
    /// Of a session that we end, what its client hands in is taken until all is answered, but no longer than this.
    private static let drainIntakeMilliseconds: Int64 = 1_000

    let connector: IncomingConnector
    let remote: IPAddress
    private var framer = Framer()
    var session: Session<Int>
    var out = ByteBuffer()
    var context: ChannelHandlerContext?
    private var timer: RepeatedTask?
    private var isReading = false

    /// Set once bound.
    var account: Account?
    var number: UInt32 = 0
    var sessionID = ""
    /// The client is of 3.4 or later.
    var allowsTLVs = true

    var submits: [UInt32: Submit] = [:]
    var multis: [UInt32: Multi] = [:]
    var nextTicket: UInt32 = 1
    var answers: [DeliveryAnswer] = []

    var gates = RateGates()
    var waiting = WaitingRequests()
    var wake: Scheduled<Void>?
    /// As it was when this read cycle began.
    var room = QueueRoom()
    /// The client reads what we write.
    private var isWritable = true
    /// Too many of its requests wait for their turn.
    private var isHeld = false

    init(connector: IncomingConnector, remote: IPAddress) {
        self.connector = connector
        self.remote = remote
        let options = connector.incoming
        var configuration = SessionConfiguration()
        configuration.window = options.deliveryWindow
        configuration.incomingWindow = options.maxOutstanding
        configuration.responseTimeoutMilliseconds = 30_000
        configuration.bindTimeoutMilliseconds = Int64(options.bindTimeoutSeconds) * 1_000
        if options.hasKeepalive {
            configuration.enquireLinkIntervalMilliseconds = Int64(connector.configuration.keepaliveSeconds) * 1_000
        }
        configuration.idleTimeoutMilliseconds = Int64(connector.configuration.idleTimeoutSeconds) * 1_000
        configuration.drainIntakeMilliseconds = ESMEHandler.drainIntakeMilliseconds
        session = Session(role: .smsc, configuration: configuration, now: monotonicMilliseconds())
    }

    // MARK: The channel

    /// Already connected when it is added behind TLS.
    func handlerAdded(context: ChannelHandlerContext) { if context.channel.isActive { begin(context) } }

    func channelActive(context: ChannelHandlerContext) { begin(context) }

    private func begin(_ context: ChannelHandlerContext) {
        guard self.context == nil else { return }
        self.context = context
        let loopBound = NIOLoopBound(self, eventLoop: context.eventLoop)
        timer = context.eventLoop.scheduleRepeatedTask(initialDelay: ESMEHandler.tick, delay: ESMEHandler.tick) { _ in
            loopBound.value.timerFired()
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        isReading = true
        var incoming = unwrapInboundIn(data)
        framer.append(&incoming)
        readFrames()
    }

    /// Takes what has come apart, as long as its requests may come in.
    func readFrames() {
        let now = monotonicMilliseconds()
        if session.boundKind != nil { room = connector.shared.monitor.room }
        while !isHeld, session.state != .closed, let framed = framer.next() { received(framed, now: now) }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        isReading = false
        flush()
    }

    func channelInactive(context: ChannelHandlerContext) {
        timer?.cancel()
        wake?.cancel()
        ended()
        self.context = nil
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        connector.logger.info("connection failed", metadata: log(["error": "\(error)"]))
        context.close(promise: nil)
    }

    /// A client that does not read its answers is not read from either: its requests wait in its own socket.
    func channelWritabilityChanged(context: ChannelHandlerContext) {
        isWritable = context.channel.isWritable
        setReading(context)
    }

    /// Stops, or goes on with, taking in requests.
    func hold(_ held: Bool) {
        guard held != isHeld else { return }
        isHeld = held
        if let context { setReading(context) }
    }

    private func setReading(_ context: ChannelHandlerContext) {
        context.channel.setOption(.autoRead, value: isWritable && !isHeld).whenFailure { _ in }
    }

    private func timerFired() {
        lookAtTimers()
        flush()
    }

    private func lookAtTimers() {
        let now = monotonicMilliseconds()
        guard let deadline = session.nextDeadline, deadline <= now else { return }
        // What we do not read is no silence of the client's.
        guard !isHeld || session.boundKind == nil else { return }
        let outcome = session.timerFired(now: now)
        for order in outcome.timedOut { answers.append(DeliveryAnswer(order: order, status: nil)) }
        perform(outcome.action, now: now)
    }

    /// Unless a read cycle is under way, whose end does it.
    func flushOutsideReading() { if !isReading { flush() } }

    func flush() {
        // Its last answer goes out with this, and right behind it unbind, or the answer to the client's.
        if session.isReadyToEnd { lookAtTimers() }
        if !answers.isEmpty {
            connector.delivery.answered(number, answers)
            answers.removeAll(keepingCapacity: true)
        }
        guard out.readableBytes > 0, let context else { return }
        context.writeAndFlush(wrapOutboundOut(out), promise: nil)
        out = context.channel.allocator.buffer(capacity: 0)
    }

    func write(_ pdu: PDU) {
        if connector.logsPDUs { trace(pdu, "sent") }
        do {
            try pdu.encode(into: &out)
        } catch {
            connector.logger.error("answer not written", metadata: log(["error": "\(error)"]))
        }
    }

    private func close(_ reason: CloseReason) {
        connector.logger.info("session closes", metadata: log(["reason": "\(reason.rawValue)"]))
        flush()
        context?.close(promise: nil)
    }

    /// Once, when the connection is gone.
    private func ended() {
        // Deliveries without an answer go back to the board with the session's end, not as answers.
        _ = session.ended()
        waiting = WaitingRequests()
        guard let account else { return }
        self.account = nil
        connector.delivery.ended(number)
        connector.shared.intake.leave(number)
        if gates.account != nil { connector.shared.registry.leaveAccount(account.username) }
        connector.shared.registry.closed(sessionID)
    }

    // MARK: The session

    /// PDULOG
    private func trace(_ pdu: PDU, _ way: String) {
        connector.logger.info("PDU", metadata: log(["way": "\(way)", "pdu": "\(pdu.summary)"]))
    }

    private func received(_ framed: Framed, now: Int64) {
        if connector.logsPDUs, case .pdu(let pdu) = framed { trace(pdu, "received") }
        switch framed {
        case .malformedRequest(let command, _, let error):
            IngressMetrics.malformed.add()
            connector.logger.info("malformed PDU", metadata: log(["command": "\(command)", "error": "\(error)"]))
        case .framingLost(let length, _):
            IngressMetrics.malformed.add()
            connector.logger.info("PDU length out of bounds", metadata: log(["length": "\(length)"]))
        case .unknownCommand(let command, _):
            IngressMetrics.malformed.add()
            connector.logger.info("unknown command", metadata: log(["command": "\(command)"]))
        case .pdu, .malformedResponse: break
        }
        perform(session.received(framed, now: now), now: now)
    }

    func perform(_ action: SessionAction<Int>, now: Int64) {
        switch action {
        case .deliver(let pdu): requested(pdu)
        case .authenticate(let bind): authenticate(bind)
        case .completed(let order, let pdu):
            if pdu.commandStatus == .ok { IngressMetrics.deliveries.add() }
            answers.append(DeliveryAnswer(order: order, status: pdu.commandStatus.rawValue))
        case .unreadable(let order, _): answers.append(DeliveryAnswer(order: order, status: nil))
        case .write(let pdu): write(pdu)
        case .writeAndClose(let pdu, let reason):
            write(pdu)
            close(reason)
        case .close(let reason): close(reason)
        case .bound, .ignore, .none: break
        }
    }

    private func requested(_ pdu: PDU) {
        switch pdu.body {
        case .submitSm, .submitMulti, .dataSm: arrived(pdu)
        case .querySm(let query): asked(query, pdu)
        case .cancelSm(let cancel): asked(cancel, pdu)
        case .replaceSm(let replace): asked(replace, pdu)
        default: refuse(pdu, .invalidCommandID)
        }
    }

    /// Answers a request with an error.
    func refuse(_ pdu: PDU, _ status: CommandStatus) {
        IngressMetrics.refusedSubmits.add()
        write(.response(to: pdu.commandID, sequenceNumber: pdu.sequenceNumber, commandStatus: status))
        session.requestsAnswered(1)
    }

    // MARK: Deliveries

    func deliver(_ items: [DeliveryItem]) {
        let now = monotonicMilliseconds()
        for item in items {
            do {
                try session.request(.deliverSm(try deliverSm(item.message)), context: item.order, now: now, into: &out)
            } catch let refusal as RequestRefusal where refusal == .notBound {
                break  // the session is ending: the board takes everything back then
            } catch {
                connector.logger.error(
                    "delivery not possible", metadata: log(["message.id": "\(item.message.msgid)", "error": "\(error)"]))
                answers.append(DeliveryAnswer(order: item.order, status: CommandStatus.permanentAppError.rawValue))
            }
        }
        flushOutsideReading()
    }

    /// As this client can read it: SMPP 3.3 has no optional parameters, its receipts are text alone.
    private func deliverSm(_ message: ShortMessage) throws -> DeliverSm {
        var pdu = try MessageWriter.deliverSm(for: message)
        if message.type == .deliveryReport, connector.incoming.reversesReportAddresses {
            (pdu.sourceAddr, pdu.destinationAddr) = (pdu.destinationAddr, pdu.sourceAddr)
        }
        if !allowsTLVs {
            guard pdu.tlvs.messagePayload == nil else { throw ServiceError("SMPP 3.3 has no room for so long a message") }
            pdu.tlvs = []
        }
        return pdu
    }

    /// Ends the session in order: the service stops, or an operator wants it.
    func shutdown() {
        perform(session.unbind(now: monotonicMilliseconds()), now: monotonicMilliseconds())
        flush()
    }

    func log(_ more: Logger.Metadata) -> Logger.Metadata {
        var metadata: Logger.Metadata = ["connector": "\(connector.name)", "remote": "\(remote)"]
        if let account { metadata["account"] = "\(account.username)" }
        return metadata.merging(more) { _, new in new }
    }
}
