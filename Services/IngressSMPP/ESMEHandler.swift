import Bus
import Configuration
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
final class ESMEHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// How often the session's timers are looked at.
    private static let tick = TimeAmount.milliseconds(500)
    /// Octets that may wait for a client that does not read; then no more of its requests are read either.
    private static let maxPendingWrite = 1 << 20

    private struct Submit {
        var sequenceNumber: UInt32
        var msgid: Int64
        var response: CommandID
    }

    private let connector: IncomingConnector
    private let remote: IPAddress
    private var framer = Framer()
    private var session: Session<Int>
    private var out = ByteBuffer()
    private var context: ChannelHandlerContext?
    private var timer: RepeatedTask?

    /// Set once bound.
    private var account: Account?
    private var number: UInt32 = 0
    private var sessionID = ""
    private var submits: [UInt32: Submit] = [:]
    private var nextTicket: UInt32 = 1
    private var answers: [DeliveryAnswer] = []
    private var isReading = false

    init(connector: IncomingConnector, remote: IPAddress) {
        self.connector = connector
        self.remote = remote
        var configuration = SessionConfiguration()
        configuration.window = ClientDelivery.window
        configuration.responseTimeoutMilliseconds = 30_000
        if connector.configuration.keepaliveSeconds > 0 {
            configuration.enquireLinkIntervalMilliseconds = Int64(connector.configuration.keepaliveSeconds) * 1_000
        }
        configuration.idleTimeoutMilliseconds = Int64(connector.configuration.idleTimeoutSeconds) * 1_000
        session = Session(role: .smsc, configuration: configuration, now: monotonicMilliseconds())
    }

    // MARK: The channel

    func channelActive(context: ChannelHandlerContext) {
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
        let now = monotonicMilliseconds()
        while session.state != .closed, let framed = framer.next() { received(framed, now: now) }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        isReading = false
        flush()
    }

    func channelInactive(context: ChannelHandlerContext) {
        timer?.cancel()
        ended()
        self.context = nil
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        connector.logger.debug("connection failed", metadata: log(["error": "\(error)"]))
        context.close(promise: nil)
    }

    /// A client that does not read its answers is not read from either: its requests wait in its own socket.
    func channelWritabilityChanged(context: ChannelHandlerContext) {
        context.channel.setOption(.autoRead, value: context.channel.isWritable).whenFailure { _ in }
    }

    private func timerFired() {
        let now = monotonicMilliseconds()
        guard let deadline = session.nextDeadline, deadline <= now else { return }
        let outcome = session.timerFired(now: now)
        for order in outcome.timedOut { answers.append(DeliveryAnswer(order: order, status: nil)) }
        perform(outcome.action, now: now)
        flush()
    }

    private func flush() {
        if !answers.isEmpty {
            connector.delivery.answered(number, answers)
            answers.removeAll(keepingCapacity: true)
        }
        guard out.readableBytes > 0, let context else { return }
        context.writeAndFlush(wrapOutboundOut(out), promise: nil)
        out = context.channel.allocator.buffer(capacity: 0)
    }

    private func write(_ pdu: PDU) {
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
        guard let account else { return }
        self.account = nil
        connector.delivery.ended(number)
        connector.intake.leave(number)
        connector.directory.leave(account.username)
        connector.rows.closed(sessionID)
    }

    // MARK: The session

    private func received(_ framed: Framed, now: Int64) {
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

    private func perform(_ action: SessionAction<Int>, now: Int64) {
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

    // MARK: Binding

    private func authenticate(_ bind: Bind) {
        guard let context else { return }
        let loopBound = NIOLoopBound(self, eventLoop: context.eventLoop)
        let eventLoop = context.eventLoop
        let (connector, remote) = (connector, remote)
        // Ends with the database's answer or its timeout; the handler ignores a verdict that comes after its end.
        Task {
            let verdict: Result<LoginDecision, any Error>
            do {
                verdict = .success(
                    try await connector.authenticator.login(
                        username: bind.systemID, password: bind.password, ip: remote, connector: connector.name))
            } catch {
                verdict = .failure(error)
            }
            eventLoop.execute { loopBound.value.decided(bind, verdict) }
        }
    }

    private func decided(_ bind: Bind, _ verdict: Result<LoginDecision, any Error>) {
        guard context != nil, case .binding = session.state else { return }
        var status = CommandStatus.ok
        var why = ""
        switch verdict {
        case .success(.accepted(let account)):
            switch connector.directory.admit(
                account.username, limit: connector.configuration.instances, accountLimit: account.maxSessions)
            {
            case .admitted: self.account = account
            case .connectorFull: (status, why) = (.bindFailed, "all INSTANCES of the connector are bound")
            case .accountFull: (status, why) = (.bindFailed, "maxsessions of the account are bound")
            }
        case .success(.unknownUser): (status, why) = (.invalidSystemID, "unknown user")
        case .success(.wrongPassword): (status, why) = (.invalidPassword, "wrong password")
        case .success(.locked): (status, why) = (.bindFailed, "the account is locked")
        case .success(.notAllowedFromHere): (status, why) = (.bindFailed, "no access row fits the address and the connector")
        case .failure(let error): (status, why) = (.systemError, "nobody could be asked: \(error)")
        }
        if status == .ok {
            bound(bind.kind)
            IngressMetrics.binds.add()
        } else {
            IngressMetrics.refusedBinds.add()
            connector.logger.notice("bind refused", metadata: log(["account": "\(bind.systemID)", "reason": "\(why)"]))
        }
        let response = BindResp(kind: bind.kind, systemID: status == .ok ? "signalbox" : nil)
        perform(session.bindAnswered(status, response: response, now: monotonicMilliseconds()), now: monotonicMilliseconds())
        flush()
        if status == .ok, bind.kind.receives, let account, let context {
            let loopBound = NIOLoopBound(self, eventLoop: context.eventLoop)
            let eventLoop = context.eventLoop
            connector.delivery.bound(
                DeliverySession(number: number, account: account.username) { items in
                    eventLoop.execute { loopBound.value.deliver(items) }
                })
        }
    }

    private func bound(_ kind: BindKind) {
        guard let context, let account else { return }
        let loopBound = NIOLoopBound(self, eventLoop: context.eventLoop)
        number = connector.intake.join(
            Intake.Listener(eventLoop: context.eventLoop, settled: { loopBound.value.settled($0) }))
        sessionID = connector.rows.opened(
            connector: connector.name, account: account.username, bind: "\(kind)", remote: "\(remote)", number: Int(number))
        connector.logger.info("session bound", metadata: log(["bind": "\(kind)"]))
    }

    // MARK: Requests

    private func requested(_ pdu: PDU) {
        switch pdu.body {
        case .submitSm(let submit): submitted(submit, pdu)
        default:
            // Known to the specification, not offered here yet.
            refuse(pdu, .invalidCommandID)
        }
    }

    private func refuse(_ pdu: PDU, _ status: CommandStatus) {
        IngressMetrics.refusedSubmits.add()
        write(.response(to: pdu.commandID, sequenceNumber: pdu.sequenceNumber, commandStatus: status))
        session.requestsAnswered(1)
    }

    private func submitted(_ submit: SubmitSm, _ pdu: PDU) {
        guard let account else { return refuse(pdu, .systemError) }
        let now = wallClockMilliseconds()
        var message: ShortMessage
        do throws(MessageReader.Refusal) {
            message = try MessageReader.message(from: submit, now: now)
        } catch {
            connector.logger.info("message refused", metadata: log(["status": "\(error.status)", "reason": "\(error.reason)"]))
            return refuse(pdu, error.status)
        }
        message.msgid = connector.ids.next(now: now)
        message.inConnector = connector.name
        message.account = account.username
        if let forced = account.forcedSource, !forced.isEmpty { message.source = MessageReader.address(forced) }
        message.remoteIp = remote.description
        message.times.accepted = now
        let reservation = AccountTerms.apply(account, connector.configuration, to: &message)
        let ticket = nextTicket
        nextTicket = nextTicket &+ 1
        do throws(BusError) {
            let record = OutgoingRecord(topic: Topics.accepted, key: message.destination.number, value: encode(message))
            try connector.intake.publish(record, session: number, ticket: ticket, reservation: reservation)
        } catch {
            // The broker is away or behind: the client keeps the message and comes again.
            return refuse(pdu, error.code == .queueFull ? .messageQueueFull : .systemError)
        }
        submits[ticket] = Submit(sequenceNumber: pdu.sequenceNumber, msgid: message.msgid, response: pdu.commandID.response)
    }

    /// The broker has, or has not, what was published. Only now the client gets its answer.
    private func settled(_ batch: [Intake.Settled]) {
        var kept = 0
        for item in batch {
            guard let submit = submits.removeValue(forKey: item.ticket) else { continue }
            if item.failure == nil {
                kept += 1
                write(
                    PDU(.submitSmResp(SubmitSmResp(messageID: String(submit.msgid))), sequenceNumber: submit.sequenceNumber))
            } else {
                IngressMetrics.refusedSubmits.add()
                let status: CommandStatus = item.failure == .balanceTooLow ? .submitFailed : .systemError
                write(.response(to: .submitSm, sequenceNumber: submit.sequenceNumber, commandStatus: status))
            }
        }
        IngressMetrics.submits.add(kept)
        session.requestsAnswered(batch.count)
        if !isReading { flush() }
    }

    // MARK: Deliveries

    private func deliver(_ items: [DeliveryItem]) {
        let now = monotonicMilliseconds()
        for item in items {
            do {
                let pdu = try MessageWriter.deliverSm(for: item.message)
                try session.request(.deliverSm(pdu), context: item.order, now: now, into: &out)
            } catch let refusal as RequestRefusal where refusal == .notBound {
                return  // the session is ending: the board takes everything back then
            } catch {
                connector.logger.error(
                    "delivery not possible", metadata: log(["message.id": "\(item.message.msgid)", "error": "\(error)"]))
                answers.append(DeliveryAnswer(order: item.order, status: CommandStatus.systemError.rawValue))
            }
        }
        flush()
    }

    /// Ends the session in order: the service stops.
    func shutdown() {
        perform(session.unbind(now: monotonicMilliseconds()), now: monotonicMilliseconds())
        flush()
    }

    private func log(_ more: Logger.Metadata) -> Logger.Metadata {
        var metadata: Logger.Metadata = ["connector": "\(connector.name)", "remote": "\(remote)"]
        if let account { metadata["account"] = "\(account.username)" }
        return metadata.merging(more) { _, new in new }
    }
}
