import NIOCore
import NIOHTTP1
import NIOPosix
import Testing

@testable import HTTPClient

/// A server on loopback that answers each request with its path, or as the path asks.
private final class Answering: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart
    private var uri = ""

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): uri = head.uri
        case .body: break
        case .end:
            if uri == "/silence" { return }
            if uri == "/hangup" { return context.close(promise: nil) }
            var text = "\(uri) \(context.channel.remoteAddress?.port ?? 0)"
            if uri == "/long" { text = String(repeating: "x", count: 100_000) }
            let head = HTTPResponseHead(
                version: .http1_1, status: uri == "/redirect" ? .found : .ok,
                headers: ["Content-Length": "\(text.utf8.count)", "Location": "http://127.0.0.1:1/"])
            context.write(wrapOutboundOut(.head(head)), promise: nil)
            context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: text)))), promise: nil)
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        }
    }
}

@Suite struct HTTPClientTests {
    private func withServer(_ body: (Int) async throws -> Void) async throws {
        let server = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(Answering())
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        try await body(server.localAddress?.port ?? 0)
        try await server.close()
    }

    private func get(_ client: HTTPClient, _ port: Int, _ path: String) async throws -> HTTPClientResponse {
        guard let url = HTTPURL("http://127.0.0.1:\(port)\(path)") else { throw HTTPClientFailure.cannotResolve(path) }
        return try await client.send(HTTPClientRequest(method: "GET", url: url)).get()
    }

    @Test func `a connection is used again, and a redirect is not followed`() async throws {
        try await withServer { port in
            let client = try HTTPClient { _ in true }
            let first = try await get(client, port, "/a")
            let second = try await get(client, port, "/redirect")
            #expect(first.status == 200 && second.status == 302)
            let ports = [first, second].map { String(decoding: $0.body, as: UTF8.self).split(separator: " ").last }
            #expect(ports[0] == ports[1])
            client.close()
        }
    }

    @Test func `an address that is not allowed is not connected to`() async throws {
        try await withServer { port in
            let client = try HTTPClient { $0 != "127.0.0.1" }
            await #expect(throws: HTTPClientFailure.forbidden("127.0.0.1")) { try await get(client, port, "/a") }
            client.close()
        }
    }

    @Test func `silence, a hang-up and a dead port are failures`() async throws {
        try await withServer { port in
            var settings = HTTPClient.Configuration()
            settings.timeout = .milliseconds(200)
            let client = try HTTPClient(settings) { _ in true }
            await #expect(throws: HTTPClientFailure.timeout) { try await get(client, port, "/silence") }
            let failure = await #expect(throws: HTTPClientFailure.self) { try await get(client, port, "/hangup") }
            guard case .interrupted? = failure else {
                Issue.record("\(String(describing: failure))")
                return
            }
            client.close()
        }
        let client = try HTTPClient { _ in true }
        await #expect(throws: HTTPClientFailure.self) { try await get(client, 1, "/") }
        client.close()
    }

    @Test func `a long answer is cut`() async throws {
        try await withServer { port in
            let client = try HTTPClient { _ in true }
            #expect(try await get(client, port, "/long").body.count == 65_536)
            client.close()
        }
    }
}
