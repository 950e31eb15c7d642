import Foundation
import LoadModel
import NIOCore
import NIOHTTP1

/// One HTTP connection of the load, which stays open: a request with a list of messages, its answer, the next request.
final class HTTPLoadClient: ChannelInboundHandler, LoadClient {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    private let core: LoadCore
    /// Messages of one request at most.
    private let batch: Int
    private(set) var channel: (any Channel)?
    var isWaiting = false
    var isDirty = false
    private var isOver = false
    /// What goes with the next request, and its messages as JSON.
    private var pending: [Int] = []
    private var body = ByteBuffer()
    /// What the answer that is awaited is about.
    private var asked: [Int] = []
    private var status: UInt32 = 0
    private var answer = ByteBuffer()

    init(core: LoadCore, batch: Int) {
        self.core = core
        self.batch = batch
    }

    var hasRoom: Bool { !isOver && channel != nil && asked.isEmpty && pending.count < batch }

    // MARK: Sending

    func submit(_ number: Int, now: Int64) -> Bool {
        guard hasRoom else { return false }
        body.writeString(pending.isEmpty ? #"{"messages":["# : ",")
        core.plan.writeJSON(number, reportPort: core.reportPort, into: &body)
        pending.append(number)
        return true
    }

    func flush() {
        guard !pending.isEmpty, asked.isEmpty, let channel else { return }
        body.writeString("]}")
        let headers: HTTPHeaders = [
            "Host": "127.0.0.1:\(core.plan.port)", "Authorization": core.plan.basicAuthorization, "Content-Type": "application/json",
            "Content-Length": "\(body.readableBytes)",
        ]
        channel.write(
            HTTPClientRequestPart.head(HTTPRequestHead(version: .http1_1, method: .POST, uri: "/v1/messages", headers: headers)),
            promise: nil)
        channel.write(HTTPClientRequestPart.body(.byteBuffer(body)), promise: nil)
        channel.writeAndFlush(HTTPClientRequestPart.end(nil), promise: nil)
        (asked, pending) = (pending, [])
        body = ByteBuffer()
    }

    // MARK: Channel

    func channelActive(context: ChannelHandlerContext) {
        channel = context.channel
        core.sessionBound(self)
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            status = UInt32(head.status.code)
            answer.clear()
        case .body(var part): answer.writeBuffer(&part)
        case .end: answered(LoadCore.nanoseconds())
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if hasRoom { core.hasRoom(self) }
        core.turn()
        context.fireChannelReadComplete()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    func channelInactive(context: ChannelHandlerContext) {
        channel = nil
        let wasOver = isOver
        isOver = true
        // One that has nothing to do is closed after a while; that is no loss.
        if !wasOver, !asked.isEmpty || !pending.isEmpty { core.sessionEnded(self, "the gateway closed a connection") }
        context.fireChannelInactive()
    }

    // MARK: Answers

    private struct Answer: Decodable {
        struct Result: Decodable {
            var id: String?
        }
        var messages: [Result]
    }

    private func answered(_ now: Int64) {
        let numbers = asked
        asked = []
        let results = try? JSONDecoder().decode(Answer.self, from: Data(answer.readableBytesView)).messages
        guard status == 202, let results, results.count == numbers.count else {
            for number in numbers { core.book.refuse(number, status: status) }
            return
        }
        for (number, result) in zip(numbers, results) {
            if let id = result.id { core.book.accept(number, id: UInt64(id), at: now) } else { core.book.refuse(number, status: status) }
        }
    }

    // MARK: The end

    /// What was not answered within two minutes stays unanswered in the book: the load gives up by its own patience.
    func tick(_ milliseconds: Int64) {}

    func unbind() {
        isOver = true
        channel?.close(promise: nil)
    }
}

extension LoadPlan {
    var basicAuthorization: String { "Basic " + Data("\(systemID):\(password)".utf8).base64EncodedString() }

    /// A member of the list of `POST /v1/messages` (docs/http.md). The texts have nothing that JSON escapes.
    func writeJSON(_ number: Int, reportPort: Int, into buffer: inout ByteBuffer) {
        buffer.writeString(#"{"to":"\#(firstDestination + UInt64(number))","from":"46700000000","text":""#)
        buffer.writeBytes(LoadPlan.text(number, characters: textCharacters))
        buffer.writeString(asksForReports ? #"","report":"final","callback_url":"http://127.0.0.1:\#(reportPort)/"}"# : #""}"#)
    }
}
