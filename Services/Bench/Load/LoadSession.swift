import LoadModel
import NIOCore
import SMPP

/// One client session of the load: it moves octets between the channel and the session machine, and tells the core.
final class LoadSession: ChannelInboundHandler, LoadClient {
    typealias InboundIn = ByteBuffer

    private let core: LoadCore
    private var session: Session<Int>
    private var framer = Framer()
    private var writes = ByteBuffer()
    private(set) var channel: (any Channel)?
    private var isOver = false
    var isWaiting = false
    var isDirty = false

    init(core: LoadCore) {
        self.core = core
        session = Session(
            role: .esme,
            configuration: SessionConfiguration(
                bindTimeoutMilliseconds: 60_000, responseTimeoutMilliseconds: 120_000, enquireLinkIntervalMilliseconds: 60_000,
                enquireLinkTimeoutMilliseconds: 60_000, window: core.plan.window, incomingWindow: 100_000),
            now: LoadCore.milliseconds())
    }

    var hasRoom: Bool { !isOver && session.room > 0 && channel?.isWritable == true }

    // MARK: Channel

    func channelActive(context: ChannelHandlerContext) {
        channel = context.channel
        let bind = Bind(kind: .transceiver, systemID: core.plan.systemID, password: core.plan.password)
        obey(session.bind(bind, now: LoadCore.milliseconds()), now: 0)
        flush()
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var buffer = unwrapInboundIn(data)
        framer.append(&buffer)
        let now = LoadCore.nanoseconds()
        while !isOver, let framed = framer.next() { obey(session.received(framed, now: now / 1_000_000), now: now) }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if hasRoom { core.hasRoom(self) }
        core.turn()
        flush()
        context.fireChannelReadComplete()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if hasRoom {
            core.hasRoom(self)
            core.turn()
        }
        context.fireChannelWritabilityChanged()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        isOver = true
        _ = session.ended()
        channel = nil
        core.sessionEnded(self, "the gateway closed a connection")
        context.fireChannelInactive()
    }

    // MARK: Actions

    private func obey(_ action: SessionAction<Int>, now: Int64) {
        switch action {
        case .bound:
            core.sessionBound(self)
        case .completed(let number, let pdu):
            if pdu.commandStatus == .ok, case .submitSmResp(let response) = pdu.body {
                let id = decimalValue((response.messageID ?? "").utf8)
                core.book.accept(number, id: id == 0 ? nil : id, at: now)
            } else {
                core.book.refuse(number, status: pdu.commandStatus.rawValue)
            }
        case .unreadable(let number, _):
            core.book.accept(number, id: nil, at: now)
        case .deliver(let pdu):
            deliver(pdu, now: now)
        case .write(let pdu):
            write(pdu)
        case .writeAndClose(let pdu, let reason):
            write(pdu)
            close(reason)
        case .close(let reason):
            close(reason)
        case .authenticate, .ignore, .none:
            break
        }
    }

    private func deliver(_ pdu: PDU, now: Int64) {
        guard case .deliverSm(let message) = pdu.body else {
            write(.response(to: pdu.commandID, sequenceNumber: pdu.sequenceNumber, commandStatus: .ok))
            session.requestsAnswered()
            return
        }
        write(PDU(.deliverSmResp(DeliverSmResp(messageID: "")), sequenceNumber: pdu.sequenceNumber))
        session.requestsAnswered()
        let tlvs = message.tlvs
        let id = decimalValue((tlvs.receiptedMessageID ?? DeliveryReceipt(message)?.messageID ?? "").utf8)
        let isDelivered = (tlvs.messageState ?? DeliveryReceipt(message)?.state) == .delivered
        guard id != 0 else { return core.book.strangeReport() }
        core.book.report(id: id, destination: decimalValue(message.sourceAddr.value.utf8), isDelivered: isDelivered, at: now)
    }

    private func close(_ reason: CloseReason) {
        isOver = true
        flush()
        core.sessionEnded(
            self, session.refusedWith.map { "the gateway refused a bind with \($0)" } ?? "a session ended: \(reason.rawValue)")
        channel?.close(promise: nil)
    }

    private func write(_ pdu: PDU) {
        // Answers and binds of ours always fit; one that does not is missed by its reader, and shows in the books.
        try? pdu.encode(into: &writes)
    }

    func submit(_ number: Int, now: Int64) -> Bool {
        do throws(RequestRefusal) {
            try session.request(.submitSm(core.plan.submit(number)), context: number, now: now / 1_000_000, into: &writes)
        } catch {
            return false
        }
        return true
    }

    func flush() {
        guard writes.readableBytes > 0, let channel else { return }
        channel.writeAndFlush(writes, promise: nil)
        writes = ByteBuffer()
    }

    func tick(_ milliseconds: Int64) {
        guard !isOver, let deadline = session.nextDeadline, deadline <= milliseconds else { return }
        let outcome = session.timerFired(now: milliseconds)
        // What was not answered within two minutes stays unanswered in the book.
        obey(outcome.action, now: milliseconds * 1_000_000)
        flush()
    }

    func unbind() {
        guard !isOver else { return }
        obey(session.unbind(now: LoadCore.milliseconds()), now: 0)
        flush()
    }
}
