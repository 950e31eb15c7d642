import Configuration
import Egress
import Logging
import NIOCore
import SMPP
import ServiceKit

/// One session with a provider: moves octets between the socket, the session machine and the connector.
final class ProviderHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer
    typealias Slot = SubmitQueue<SubmitSm>.Slot

    private static let tick = TimeAmount.milliseconds(250)

    private let connector: ProviderConnector
    private let index: Int
    private let address: String
    /// The provider opened the connection: we bind, as receiver, when its outbind has come (SMPP 3.4, 2.2.1).
    private let awaitsOutbind: Bool
    private let onEnd: (_ ending: ConnectBackoff.Ending, _ why: String) -> Void
    /// PDULOG
    private let logsPDUs: Bool
    private var framer = Framer()
    private var session: Session<Slot>
    private var out = ByteBuffer()
    private var context: ChannelHandlerContext?
    private var timer: RepeatedTask?
    private var wasBound = false
    private var wasRefused = false
    private var why = "the provider closed the connection"
    private var window: WindowControl
    /// When something of use last went either way.
    private var lastUse: Int64

    init(
        connector: ProviderConnector, index: Int, address: String, awaitsOutbind: Bool = false,
        onEnd: @escaping (_ ending: ConnectBackoff.Ending, _ why: String) -> Void
    ) {
        self.connector = connector
        logsPDUs = connector.configuration.trace.logsPDUs ?? false
        self.index = index
        self.address = address
        self.awaitsOutbind = awaitsOutbind
        self.onEnd = onEnd
        let now = monotonicMilliseconds()
        window = WindowControl(connector.configuration.windowSize, now: now)
        lastUse = now
        let settings = connector.configuration
        var configuration = SessionConfiguration()
        configuration.window = window.limit
        configuration.enquireLinkIntervalMilliseconds = Int64(settings.keepaliveSeconds) * 1_000
        configuration.idleTimeoutMilliseconds = Int64(settings.idleTimeoutSeconds) * 1_000
        configuration.responseTimeoutMilliseconds = Int64(settings.outgoing.responseTimeoutSeconds) * 1_000
        session = Session(role: .esme, configuration: configuration, now: now)
    }

    private var kind: BindKind {
        if awaitsOutbind { return .receiver }
        switch connector.configuration.mode {
        case .both: return .transceiver
        case .transmit: return .transmitter
        case .receive: return .receiver
        }
    }

    private var transmits: Bool { session.boundKind?.transmits ?? false }

    /// Whether it takes a submit now.
    var hasRoom: Bool { transmits && session.room > 0 && window.hasRoom(outstanding: session.outstandingRequests) }

    /// Submits that may be unanswered; 0 where it cannot send.
    var windowSize: Int { transmits ? window.size : 0 }
    var unanswered: Int { session.outstandingRequests }

    /// Nothing was sent or delivered since, and nothing is waited for.
    func isQuiet(since moment: Int64) -> Bool { lastUse <= moment && session.outstandingRequests == 0 }

    // MARK: The channel

    func channelActive(context: ChannelHandlerContext) {
        self.context = context
        let loopBound = NIOLoopBound(self, eventLoop: context.eventLoop)
        timer = context.eventLoop.scheduleRepeatedTask(initialDelay: ProviderHandler.tick, delay: ProviderHandler.tick) { _ in
            loopBound.value.timerFired()
        }
        guard !awaitsOutbind else { return }
        bind()
        flush()
    }

    private func bind() {
        let settings = connector.configuration
        let bind = Bind(
            kind: kind, systemID: settings.username ?? "", password: settings.password?.revealed ?? "", systemType: settings.systemType,
            interfaceVersion: InterfaceVersion(rawValue: settings.outgoing.interfaceVersion),
            addrTON: TypeOfNumber(rawValue: UInt8(truncatingIfNeeded: settings.outgoing.addressTON)),
            addrNPI: NumberingPlan(rawValue: UInt8(truncatingIfNeeded: settings.outgoing.addressNPI)),
            addressRange: settings.outgoing.addressRange)
        perform(session.bind(bind, now: monotonicMilliseconds()))
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var incoming = unwrapInboundIn(data)
        framer.append(&incoming)
        let now = monotonicMilliseconds()
        while session.state != .closed, let framed = framer.next() {
            if logsPDUs, case .pdu(let pdu) = framed { trace(pdu, "received") }
            switch framed {
            case .malformedRequest(_, _, let error), .malformedResponse(_, _, let error):
                connector.logger.warning("malformed PDU from the provider", metadata: log(["error": "\(error)"]))
            case .pdu, .unknownCommand, .framingLost: break
            }
            perform(session.received(framed, now: now))
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        connector.cycleEnded()
        flush()
    }

    func channelInactive(context: ChannelHandlerContext) {
        timer?.cancel()
        self.context = nil
        let unanswered = session.ended()
        if wasBound {
            connector.logger.notice("session ended", metadata: log(["reason": "\(why)"]))
            connector.sessionEnded(index: index, unanswered: unanswered, why: why)
        }
        onEnd(wasBound ? .lost : wasRefused ? .refused : .unreachable, why)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        why = "\(error)"
        context.close(promise: nil)
    }

    private func timerFired() {
        let now = monotonicMilliseconds()
        guard let deadline = session.nextDeadline, deadline <= now else { return }
        let outcome = session.timerFired(now: now)
        if !outcome.timedOut.isEmpty {
            // Whether the provider has them nobody knows: sent again, as after a lost session.
            why = "\(outcome.timedOut.count) submits were not answered in time"
            connector.unanswered(outcome.timedOut)
            context?.close(promise: nil)
        }
        perform(outcome.action)
        flush()
    }

    func flush() {
        guard out.readableBytes > 0, let context else { return }
        context.writeAndFlush(wrapOutboundOut(out), promise: nil)
        out = context.channel.allocator.buffer(capacity: 0)
    }

    /// PDULOG
    private func trace(_ pdu: PDU, _ way: String) {
        connector.logger.info("PDU", metadata: log(["way": "\(way)", "pdu": "\(pdu.summary)"]))
    }

    private func write(_ pdu: PDU) {
        if logsPDUs { trace(pdu, "sent") }
        do {
            try pdu.encode(into: &out)
        } catch {
            connector.logger.error("PDU not written", metadata: log(["error": "\(error)"]))
        }
    }

    private func perform(_ action: SessionAction<Slot>) {
        switch action {
        case .write(let pdu): write(pdu)
        case .writeAndClose(let pdu, let reason):
            write(pdu)
            close(reason)
        case .close(let reason): close(reason)
        case .bound:
            wasBound = true
            EgressMetrics.connects.add()
            connector.logger.info("bound to the provider", metadata: log([:]))
            connector.sessionBound(self, index: index, bind: "\(kind)", address: address)
        case .completed(let slot, let pdu):
            let now = monotonicMilliseconds()
            window.answered(roundTrip: now - slot.sentAt, now: now)
            var smscid = ""
            if case .submitSmResp(let response) = pdu.body { smscid = response.messageID ?? "" }
            connector.answered(slot, status: pdu.commandStatus, smscid: smscid, now: now)
        case .unreadable(let slot, _):
            // It was answered, we cannot tell how: taken, with no id to match a receipt by.
            connector.answered(slot, status: .ok, smscid: "", now: monotonicMilliseconds())
        case .deliver(let pdu): requested(pdu)
        case .authenticate, .ignore, .none: break
        }
    }

    private func close(_ reason: CloseReason) {
        wasRefused = reason == .bindRejected
        why =
            switch reason {
            case .bindRejected: "the provider refused the bind: \(session.refusedWith.map { "\($0)" } ?? "no reason given")"
            case .bindTimedOut: "the provider did not answer the bind"
            case .enquireLinkUnanswered: "the provider did not answer enquire_link"
            case .framingLost: "the provider's octets are no PDUs"
            case .peerUnbound: "the provider unbound"
            case .unbound: "unbound"
            }
        flush()
        context?.close(promise: nil)
    }

    private func requested(_ pdu: PDU) {
        switch pdu.body {
        case .deliverSm(let deliver):
            lastUse = monotonicMilliseconds()
            connector.delivered(deliver, as: .deliverSm, to: self, sequenceNumber: pdu.sequenceNumber)
        case .dataSm(let data):
            lastUse = monotonicMilliseconds()
            connector.delivered(ProviderHandler.deliverSm(data), as: .dataSm, to: self, sequenceNumber: pdu.sequenceNumber)
        case .outbind(let outbind): outbindCame(outbind)
        case .alertNotification: break
        default: answer(.response(to: pdu.commandID, sequenceNumber: pdu.sequenceNumber, commandStatus: .invalidCommandID))
        }
    }

    /// data_sm is laid out otherwise and says the same (SMPP 3.4, 4.7.1).
    private static func deliverSm(_ data: DataSm) -> DeliverSm {
        DeliverSm(
            serviceType: data.serviceType, sourceAddr: data.sourceAddr, destinationAddr: data.destinationAddr, esmClass: data.esmClass,
            registeredDelivery: data.registeredDelivery, dataCoding: data.dataCoding, tlvs: data.tlvs)
    }

    /// Only who knows what OUTBINDSYSTEMID and OUTBINDPASSWORD say, where they are set, is told our own password.
    private func outbindCame(_ outbind: Outbind) {
        guard awaitsOutbind, session.state == .open else { return }
        let smpp = connector.configuration.smpp
        let isExpected =
            (smpp.outbindSystemID.map { $0 == outbind.systemID } ?? true)
            && (smpp.outbindPassword.map { $0.matches(outbind.password) } ?? true)
        guard isExpected else {
            connector.logger.warning(
                "outbind refused: its system_id or password is not the provider's", metadata: log(["system_id": "\(outbind.systemID)"]))
            why = "the outbind was not the provider's"
            context?.close(promise: nil)
            return
        }
        connector.logger.info("outbind from the provider", metadata: log(["system_id": "\(outbind.systemID)"]))
        bind()
    }

    // MARK: From the connector

    /// Writes a submit.
    /// - Returns: why it cannot be written at all; `nil` where it was.
    func submit(_ slot: Slot, now: Int64) -> String? {
        var slot = slot
        slot.sentAt = now
        lastUse = now
        do throws(RequestRefusal) {
            try session.request(.submitSm(slot.pdu), context: slot, now: now, into: &out)
            return nil
        } catch {
            return "it cannot be sent: \(error)"
        }
    }

    /// Answers a request of the provider.
    func answer(_ pdu: PDU) {
        write(pdu)
        session.requestsAnswered(1)
    }

    func shutdown() {
        perform(session.unbind(now: monotonicMilliseconds()))
        flush()
    }

    private func log(_ more: Logger.Metadata) -> Logger.Metadata {
        let own: Logger.Metadata = ["connector": "\(connector.name)", "address": "\(address)", "session": "\(index)"]
        return own.merging(more) { _, new in new }
    }
}
