import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import ServiceLifecycle

/// `/healthz` (the process runs), `/readyz` (every component is healthy) and `/metrics`, for orchestrators and Prometheus.
struct HealthEndpoint: Service {
    let port: Int
    let health: Health
    let logger: Logger

    func run() async throws {
        let group = MultiThreadedEventLoopGroup.singleton
        let channel = try await ServerBootstrap(group: group)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { [health] channel in
                channel.pipeline.configureHTTPServerPipeline().flatMapThrowing {
                    try channel.pipeline.syncOperations.addHandler(HealthHandler(health: health))
                }
            }
            .bind(host: "0.0.0.0", port: port).get()
        try? await gracefulShutdown()
        try? await channel.close()
    }
}

private final class HealthHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let health: Health
    private var request: HTTPRequestHead?

    init(health: Health) { self.health = health }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): request = head
        case .body: break
        case .end:
            guard let request else { return }
            self.request = nil
            let (status, text) = answer(to: request)
            var body = context.channel.allocator.buffer(capacity: text.utf8.count)
            body.writeString(text)
            let headers: HTTPHeaders = [
                "Content-Type": "text/plain; version=0.0.4; charset=utf-8", "Content-Length": "\(body.readableBytes)",
            ]
            context.write(
                wrapOutboundOut(.head(HTTPResponseHead(version: request.version, status: status, headers: headers))), promise: nil)
            if request.method != .HEAD { context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil) }
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
            if !request.isKeepAlive { context.close(promise: nil) }
        }
    }

    private func answer(to request: HTTPRequestHead) -> (HTTPResponseStatus, String) {
        guard request.method == .GET || request.method == .HEAD else { return (.methodNotAllowed, "GET only\n") }
        switch request.uri {
        case "/healthz": return (.ok, "ok\n")
        case "/readyz":
            let (state, detail) = health.summary
            return (state == "healthy" ? .ok : .serviceUnavailable, detail.isEmpty ? "\(state)\n" : "\(state): \(detail)\n")
        case "/metrics": return (.ok, Metrics.text())
        default: return (.notFound, "no such page\n")
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
