import Logging
import NIOCore

/// One connection: cuts its octets into requests, hands them to the broker, sends the answers in the order of the requests.
///
/// Produce requests are pipelined. Any other request waits for its turn and holds the next ones back until its answer has
/// left, as in Kafka; so a client that does not read costs one answer of memory, not more. While something waits here,
/// nothing more is read from the socket.
final class ConnectionHandler: ChannelInboundHandler, ChannelOutboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// Produce requests of one connection under way at once.
    static let pipelined = 64
    /// Octets of requests of one connection under way at once; one larger request may still pass alone.
    static let pipelinedBytes = 4 << 20

    private struct Slot {
        var number: UInt64
        var bytes: Int
        var answer: Reply.Content?
        var isProduce: Bool
    }

    private let submit: @Sendable ([Request]) -> Void
    private let closed: @Sendable (Int) -> Void
    private let maxRequestBytes: Int
    private let budget: RequestBudget
    private let logger: Logger
    private let id: Int
    private let loopIndex: Int
    private var connection: Connection?
    private var context: ChannelHandlerContext?

    private var accumulated = ByteBuffer()
    private var waiting = CircularBuffer<ByteBuffer>()
    private var slots = CircularBuffer<Slot>()
    private var slotBytes = 0
    private var nextSlot: UInt64 = 0
    private var muted = false
    private var readWanted = false
    /// We asked for room, and will be told when there is some.
    private var awaitsRoom = false
    /// What of an unfinished request the budget knows of.
    private var partialBytes = 0

    init(
        id: Int, loopIndex: Int, maxRequestBytes: Int, budget: RequestBudget, logger: Logger,
        submit: @escaping @Sendable ([Request]) -> Void,
        closed: @escaping @Sendable (Int) -> Void
    ) {
        self.id = id
        self.loopIndex = loopIndex
        self.maxRequestBytes = maxRequestBytes
        self.budget = budget
        self.logger = logger
        self.submit = submit
        self.closed = closed
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        connection = Connection(
            id: id, loopIndex: loopIndex, host: context.channel.remoteAddress?.ipAddress ?? "",
            handler: NIOLoopBound(self, eventLoop: context.eventLoop))
    }

    func channelInactive(context: ChannelHandlerContext) {
        closed(id)
        connection = nil
        self.context = nil
        waiting.removeAll()
        slots.removeAll()
        give(slotBytes)
        slotBytes = 0
        accumulated = ByteBuffer()
        _ = countPartial()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        logger.debug("a connection failed", metadata: ["connection": "\(id)", "error": "\(error)"])
        context.close(promise: nil)
    }

    // MARK: Reading

    private var mayRead: Bool {
        guard waiting.isEmpty, slotBytes < Self.pipelinedBytes, let context, context.channel.isWritable, !awaitsRoom else { return false }
        // What has begun to arrive may arrive whole.
        guard accumulated.readableBytes == 0 else { return true }
        awaitsRoom = !budget.hasRoom(
            orWake: RequestBudget.Waiter(loop: context.eventLoop, handler: NIOLoopBound(self, eventLoop: context.eventLoop)))
        return !awaitsRoom
    }

    private func give(_ octets: Int) {
        guard octets > 0 else { return }
        for waiter in budget.give(octets) {
            waiter.loop.execute {
                waiter.handler.value.awaitsRoom = false
                waiter.handler.value.readIfWanted()
            }
        }
    }

    /// Tells the budget what of the next request is here.
    private func countPartial() -> Bool {
        let change = accumulated.readableBytes - partialBytes
        guard change != 0 else { return true }
        partialBytes += change
        return budget.changePartial(by: change)
    }

    func read(context: ChannelHandlerContext) {
        if mayRead { context.read() } else { readWanted = true }
    }

    private func readIfWanted() {
        guard readWanted, mayRead, let context else { return }
        readWanted = false
        context.read()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        readIfWanted()
        context.fireChannelWritabilityChanged()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var incoming = unwrapInboundIn(data)
        if accumulated.readableBytes == 0 {
            accumulated = incoming
        } else {
            accumulated.writeBuffer(&incoming)
        }
        while let length = accumulated.getInteger(at: accumulated.readerIndex, as: Int32.self) {
            guard length >= 8, Int(length) <= maxRequestBytes else {
                refuse(context, "a frame of \(length) octets")
                return
            }
            guard accumulated.readableBytes >= 4 + Int(length) else {
                guard countPartial() else {
                    refuse(context, "too much of requests that do not arrive whole")
                    return
                }
                // What is left gets memory of its own: behind requests that are handed over, each write would copy them too.
                if accumulated.readerIndex > 0 {
                    var rest = ByteBuffer()
                    rest.reserveCapacity(min(4 + Int(length), 2 * accumulated.readableBytes))
                    rest.writeBuffer(&accumulated)
                    accumulated = rest
                }
                // Room for all of it at once, but no faster than octets arrive: a length alone must not take memory.
                if accumulated.readableBytes > 64 << 10 {
                    accumulated.reserveCapacity(
                        minimumWritableBytes: min(4 + Int(length) - accumulated.readableBytes, accumulated.readableBytes))
                }
                return
            }
            accumulated.moveReaderIndex(forwardBy: 4)
            guard let frame = accumulated.readSlice(length: Int(length)) else { return }
            waiting.append(frame)
        }
        if accumulated.readableBytes == 0 { accumulated = ByteBuffer() }
        _ = countPartial()
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        pump()
        context.fireChannelReadComplete()
    }

    private func refuse(_ context: ChannelHandlerContext, _ why: String) {
        logger.info("a connection sends what is not Kafka's protocol", metadata: ["connection": "\(id)", "reason": "\(why)"])
        accumulated = ByteBuffer()
        waiting.removeAll()
        context.close(promise: nil)
    }

    // MARK: Handing over

    /// Hands over what may go now.
    private func pump() {
        guard let context, let connection else { return }
        var batch: [Request] = []
        while !muted, let frame = waiting.first {
            var body = frame
            do throws(WireError) {
                let header = try RequestHeader(decoding: &body)
                guard let api = APIKey(rawValue: header.apiKey) else {
                    throw .unsupported(apiKey: header.apiKey, version: header.apiVersion)
                }
                let isProduce = api == .produce
                if isProduce ? slots.count >= Self.pipelined : !slots.isEmpty { break }
                waiting.removeFirst()
                let reply = PendingReply(
                    connection: connection, slot: nextSlot, api: api, version: header.apiVersion, correlationID: header.correlationID)
                guard api.versions.supported.contains(header.apiVersion) else {
                    guard api == .apiVersions else { throw .unsupported(apiKey: header.apiKey, version: header.apiVersion) }
                    // A client newer than we are: the answer of version 0 tells it what we know (KIP-511).
                    context.writeAndFlush(
                        wrapOutboundOut(APIVersions.response(version: 0, header.correlationID, error: .unsupportedVersion)), promise: nil)
                    continue
                }
                if api == .apiVersions {
                    context.writeAndFlush(
                        wrapOutboundOut(APIVersions.response(version: header.apiVersion, header.correlationID, error: .none)), promise: nil)
                    continue
                }
                batch.append(
                    Request(reply: reply, clientID: header.clientID ?? "", body: try Self.decode(body, api, header.apiVersion)))
                slots.append(Slot(number: nextSlot, bytes: frame.readableBytes, isProduce: isProduce))
                slotBytes += frame.readableBytes
                budget.take(frame.readableBytes)
                nextSlot += 1
                muted = !isProduce
            } catch {
                refuse(context, "\(error)")
                break
            }
        }
        if !batch.isEmpty { submit(batch) }
        readIfWanted()
    }

    private static func decode(_ body: ByteBuffer, _ api: APIKey, _ version: Int16) throws(WireError) -> Request.Body {
        var reader = KafkaReader(body, flexible: api.isFlexible(version))
        if api == .produce { return .produce(try ProduceRequest(decoding: &reader)) }
        if api == .fetch { return .fetch(try FetchRequest(decoding: &reader, version: version)) }
        return .other(body)
    }

    // MARK: Answering

    /// Takes the answer to the request in `slot`; it leaves when all earlier ones have.
    func complete(_ slot: UInt64, _ content: Reply.Content) {
        guard let first = slots.first, slot >= first.number else { return }
        let index = slots.index(slots.startIndex, offsetBy: Int(slot - first.number))
        guard index < slots.endIndex, slots[index].answer == nil else { return }
        slots[index].answer = content
    }

    /// Sends every answer whose turn it is.
    func flushAnswers() {
        guard let context else { return }
        var wrote = false
        var answered = 0
        defer { give(answered) }
        while let first = slots.first, let answer = first.answer {
            slots.removeFirst()
            slotBytes -= first.bytes
            answered += first.bytes
            switch answer {
            case .close:
                context.close(promise: nil)
                return
            case .silence:
                if !first.isProduce { muted = false }
            case .frame(let frame):
                wrote = true
                if first.isProduce {
                    context.write(wrapOutboundOut(frame), promise: nil)
                } else {
                    let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
                    context.writeAndFlush(wrapOutboundOut(frame)).whenComplete { _ in
                        bound.value.muted = false
                        bound.value.pump()
                    }
                }
            }
        }
        if wrote { context.flush() }
        pump()
    }
}

/// ApiVersions, answered without asking the broker: it depends on nothing.
enum APIVersions {
    static func response(version: Int16, _ correlationID: Int32, error: KafkaError) -> ByteBuffer {
        var writer = KafkaWriter(correlationID: correlationID, flexible: version >= 3, headerFlexible: false, capacity: 512)
        writer.error(error)
        writer.array(APIKey.allCases) { writer, api in
            writer.int16(api.rawValue)
            writer.int16(api.versions.supported.lowerBound)
            writer.int16(api.versions.supported.upperBound)
            writer.tags()
        }
        if version >= 1 { writer.int32(0) }
        writer.tags()
        return writer.finish()
    }
}
