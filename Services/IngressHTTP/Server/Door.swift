import Configuration
import HTTPTypes
import HummingbirdCore
import NIOCore
import ServiceKit
import Store

/// Reads each request whole and gives it to the interface that answers at its path.
struct Door: Sendable {
    /// A thousand messages of 4 kB.
    private static let maxBody = 4 * 1_024 * 1_024

    let connector: HTTPConnector

    func respond(to request: Request, from channel: any Channel) async -> Response {
        HTTPMetrics.requests.add()
        let isHead = request.method == .head
        guard let text = channel.remoteAddress?.ipAddress, let remote = IPAddress(text) else {
            return Reply.problem(Fault(.badRequest, "the connection has no address")).response(isHead: isHead)
        }
        var request = request
        let body: ByteBuffer
        do {
            body = try await request.collectBody(upTo: Door.maxBody)
        } catch {
            var reply = Reply.problem(Fault(.tooLarge, "the body has more than \(Door.maxBody) octets, or ended too early"))
            // What is left of it is not read.
            reply.headers["Connection"] = "close"
            return reply.response(isHead: isHead)
        }
        let exchange = Exchange(
            method: request.method.rawValue, path: Door.path(request.uri.path), query: request.uri.query ?? "", headers: request.headers,
            body: Array(body.readableBytesView), remote: remote, connector: connector)
        return await reply(to: exchange).response(isHead: isHead)
    }

    private static func path(_ text: String) -> String {
        String(decoding: Parameters.unescape(Array(text.utf8), plusIsBlank: false), as: UTF8.self)
    }

    private func reply(to exchange: Exchange) async -> Reply {
        let interfaces = connector.options.interfaces
        if interfaces.contains(.api), let reply = await APIHandler.respond(to: exchange) { return reply }
        if interfaces.contains(.emg), let reply = await EMGHandler.respond(to: exchange) { return reply }
        if interfaces.contains(.kannel), let reply = await KannelHandler.respond(to: exchange) { return reply }
        if interfaces.contains(.jasmin), let reply = await JasminHandler.respond(to: exchange) { return reply }
        return .problem(Fault(.notFound, "there is nothing at this address"))
    }
}
