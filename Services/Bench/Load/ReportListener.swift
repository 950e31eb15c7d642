import Foundation
import LoadModel
import NIOCore
import NIOHTTP1

/// Takes the reports that the gateway brings by HTTP: one connection of the gateway's.
final class ReportListener: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let core: LoadCore
    private var body = ByteBuffer()

    init(core: LoadCore) { self.core = core }

    private struct Report: Decodable {
        var type: String
        var messageID: String
        var status: String
        var to: String

        enum CodingKeys: String, CodingKey {
            case type, status, to
            case messageID = "message_id"
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head: body.clear()
        case .body(var part): body.writeBuffer(&part)
        case .end:
            take(LoadCore.nanoseconds())
            context.write(wrapOutboundOut(.head(HTTPResponseHead(version: .http1_1, status: .noContent))), promise: nil)
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        core.turn()
        context.fireChannelReadComplete()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    private func take(_ now: Int64) {
        guard let report = try? JSONDecoder().decode(Report.self, from: Data(body.readableBytesView)), report.type == "message.report",
            let id = UInt64(report.messageID)
        else { return core.book.strangeReport() }
        core.book.report(id: id, destination: decimalValue(report.to.utf8), isDelivered: report.status == "delivered", at: now)
    }
}
