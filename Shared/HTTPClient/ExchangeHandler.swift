import NIOCore
import NIOHTTP1

/// One connection: a request, its response, the next request.
final class ExchangeHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    private let maxBody: Int
    private var promise: EventLoopPromise<HTTPClientResponse>?
    private var response: HTTPClientResponse?
    private var staysOpen = false
    private var isCut = false
    /// Called when the connection is free again.
    private let onFree: (any Channel) -> Void

    init(maxBody: Int, onFree: @escaping (any Channel) -> Void) {
        self.maxBody = maxBody
        self.onFree = onFree
    }

    /// On the channel's event loop.
    func send(_ request: HTTPClientRequest, _ promise: EventLoopPromise<HTTPClientResponse>, on channel: any Channel) {
        guard channel.isActive, self.promise == nil else { return promise.fail(HTTPClientFailure.interrupted("it was closed")) }
        self.promise = promise
        response = nil
        isCut = false
        var head = HTTPRequestHead(version: .http1_1, method: HTTPMethod(rawValue: request.method), uri: request.url.target)
        head.headers.add(name: "Host", value: request.url.authority)
        head.headers.add(name: "User-Agent", value: "signalbox")
        if !request.body.isEmpty || request.method != "GET" { head.headers.add(name: "Content-Length", value: String(request.body.count)) }
        for (name, value) in request.headers { head.headers.add(name: name, value: value) }
        channel.write(HTTPClientRequestPart.head(head), promise: nil)
        if !request.body.isEmpty {
            channel.write(HTTPClientRequestPart.body(.byteBuffer(ByteBuffer(bytes: request.body))), promise: nil)
        }
        channel.writeAndFlush(HTTPClientRequestPart.end(nil), promise: nil)
    }

    /// The request is given up: its answer must not be taken for that of a later one.
    func abandon(_ failure: HTTPClientFailure, on channel: any Channel) {
        finish(.failure(failure))
        channel.close(promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            // 1xx: the real one follows.
            guard head.status.code >= 200 else { return }
            staysOpen = head.isKeepAlive
            response = HTTPClientResponse(
                status: Int(head.status.code), headers: head.headers.map { (name: $0.name, value: $0.value) }, body: [])
        case .body(let part):
            guard let have = response?.body.count, !isCut else { return }
            response?.body += part.readableBytesView.prefix(maxBody - have)
            if have + part.readableBytes > maxBody {
                // Enough is known; the rest is not waited for.
                isCut = true
                staysOpen = false
                if let response { finish(.success(response)) }
                context.close(promise: nil)
            }
        case .end:
            guard let response else { return }
            let stays = staysOpen
            finish(.success(response))
            if stays { onFree(context.channel) } else { context.close(promise: nil) }
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        finish(.failure(.interrupted("it was closed")))
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        finish(.failure(.interrupted("\(error)")))
        context.close(promise: nil)
    }

    private func finish(_ result: Result<HTTPClientResponse, HTTPClientFailure>) {
        guard let promise else { return }
        self.promise = nil
        response = nil
        switch result {
        case .success(let response): promise.succeed(response)
        case .failure(let failure): promise.fail(failure)
        }
    }
}
