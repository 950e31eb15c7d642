package import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Synchronization

/// Makes HTTP/1.1 requests to servers of others: connections are kept and used again, answers are read up to a bound, redirects are not
/// followed. The addresses that a name stands for are checked before each connection, so that a name cannot lead to where an address
/// could not.
package final class HTTPClient: Sendable {
    package struct Configuration: Sendable {
        /// From the request to the whole answer.
        package var timeout = TimeAmount.seconds(10)
        package var connectTimeout = TimeAmount.seconds(5)
        /// Of an answer's body so many octets are kept.
        package var maxBody = 65_536
        package var idleTimeout = TimeAmount.seconds(20)
        /// Unused connections that are kept for one server.
        package var maxIdle = 64

        package init() {}
    }

    private struct Idle {
        var channel: any Channel
        var handler: NIOLoopBound<ExchangeHandler>
    }

    /// What the connections need of the client, also after it is gone.
    private final class Pool: Sendable {
        let idle = Mutex<[String: [Idle]]>([:])

        func take(_ origin: String) -> Idle? {
            idle.withLock { idle in
                while let last = idle[origin]?.popLast() { if last.channel.isActive { return last } }
                idle[origin] = nil
                return nil
            }
        }

        func put(_ one: Idle, _ origin: String, max: Int) {
            let isKept = idle.withLock { idle in
                idle[origin, default: []].removeAll { !$0.channel.isActive }
                guard idle[origin, default: []].count < max else { return false }
                idle[origin, default: []].append(one)
                return true
            }
            if !isKept { one.channel.close(promise: nil) }
        }
    }

    private let configuration: Configuration
    private let isAllowed: @Sendable (String) -> Bool
    private let resolver = Resolver()
    private let pool = Pool()
    private let tls: NIOSSLContext

    /// - Parameter isAllowed: whether a request may go to an address, written as digits.
    /// - Throws: where TLS cannot be set up.
    package init(_ configuration: Configuration = .init(), isAllowed: @escaping @Sendable (String) -> Bool) throws {
        self.configuration = configuration
        self.isAllowed = isAllowed
        tls = try NIOSSLContext(configuration: .makeClientConfiguration())
    }

    /// - Returns: on one of the process's event loops; a failure is a `HTTPClientFailure`.
    package func send(_ request: HTTPClientRequest) -> EventLoopFuture<HTTPClientResponse> {
        if let kept = pool.take(request.url.origin) {
            // The server may have closed it this moment: then once more over a new one.
            return send(request, over: kept).flatMapError { [self] error in
                guard case .interrupted? = error as? HTTPClientFailure else { return kept.channel.eventLoop.makeFailedFuture(error) }
                return sendAnew(request)
            }
        }
        return sendAnew(request)
    }

    private func sendAnew(_ request: HTTPClientRequest) -> EventLoopFuture<HTTPClientResponse> {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let began = NIODeadline.now()
        let connection = connect(request.url, on: loop)
        // A name server may take longer than the request has.
        let promise = loop.makePromise(of: Idle.self)
        let timer = loop.scheduleTask(in: configuration.timeout) { promise.fail(HTTPClientFailure.timeout) }
        connection.whenComplete { [self] result in
            timer.cancel()
            // Where the time was over, what came too late is closed.
            if case .success(let one) = result, NIODeadline.now() - began >= configuration.timeout { one.channel.close(promise: nil) }
            promise.completeWith(result)
        }
        return promise.futureResult.flatMap { [self] in send(request, over: $0) }
    }

    private func send(_ request: HTTPClientRequest, over one: Idle) -> EventLoopFuture<HTTPClientResponse> {
        let loop = one.channel.eventLoop
        let promise = loop.makePromise(of: HTTPClientResponse.self)
        loop.execute { [configuration] in
            one.handler.value.send(request, promise, on: one.channel)
            let timer = loop.scheduleTask(in: configuration.timeout) { one.handler.value.abandon(.timeout, on: one.channel) }
            promise.futureResult.whenComplete { _ in timer.cancel() }
        }
        return promise.futureResult
    }

    private func connect(_ url: HTTPURL, on loop: any EventLoop) -> EventLoopFuture<Idle> {
        resolver.resolve(url.host, port: url.port, on: loop).flatMap { [self] addresses in
            guard !addresses.isEmpty else { return loop.makeFailedFuture(HTTPClientFailure.cannotResolve(url.host)) }
            let allowed = addresses.filter { $0.ipAddress.map(isAllowed) ?? false }
            guard !allowed.isEmpty else { return loop.makeFailedFuture(HTTPClientFailure.forbidden(url.host)) }
            return connect(url, to: allowed[...], on: loop)
        }
    }

    /// One address after the other.
    private func connect(_ url: HTTPURL, to addresses: ArraySlice<SocketAddress>, on loop: any EventLoop) -> EventLoopFuture<Idle> {
        guard let address = addresses.first else { return loop.makeFailedFuture(HTTPClientFailure.cannotConnect("no address is left")) }
        return connect(url, to: address, on: loop).flatMapError { [self] error in
            guard addresses.count > 1 else { return loop.makeFailedFuture(HTTPClientFailure.cannotConnect("\(error)")) }
            return connect(url, to: addresses.dropFirst(), on: loop)
        }
    }

    private func connect(_ url: HTTPURL, to address: SocketAddress, on loop: any EventLoop) -> EventLoopFuture<Idle> {
        let (pool, configuration, tls) = (pool, configuration, tls)
        return ClientBootstrap(group: loop)
            .connectTimeout(configuration.connectTimeout)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    if url.isTLS {
                        let isAddress = (try? SocketAddress(ipAddress: url.host, port: 0)) != nil
                        try pipeline.addHandler(NIOSSLClientHandler(context: tls, serverHostname: isAddress ? nil : url.host))
                    }
                    try pipeline.addHandler(IdleStateHandler(allTimeout: configuration.idleTimeout + configuration.timeout))
                    try pipeline.addHTTPClientHandlers(leftOverBytesStrategy: .dropBytes)
                    let origin = url.origin
                    let handler = ExchangeHandler(maxBody: configuration.maxBody) { channel in
                        guard
                            let own = try? channel.pipeline.syncOperations.handler(type: ExchangeHandler.self)
                        else { return channel.close(promise: nil) }
                        pool.put(
                            Idle(channel: channel, handler: NIOLoopBound(own, eventLoop: channel.eventLoop)), origin,
                            max: configuration.maxIdle)
                    }
                    try pipeline.addHandler(handler)
                    try pipeline.addHandler(IdleCloser())
                }
            }
            .connect(to: address)
            .flatMapThrowing { channel in
                let handler = try channel.pipeline.syncOperations.handler(type: ExchangeHandler.self)
                return Idle(channel: channel, handler: NIOLoopBound(handler, eventLoop: channel.eventLoop))
            }
    }

    /// Ends the kept connections.
    package func close() {
        let all = pool.idle.withLock { idle in
            defer { idle.removeAll() }
            return idle.values.flatMap { $0 }
        }
        for one in all { one.channel.close(promise: nil) }
        resolver.stop()
    }
}

/// Closes a connection that nobody has used for a while.
private final class IdleCloser: ChannelInboundHandler {
    typealias InboundIn = Any

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is IdleStateHandler.IdleStateEvent { context.close(promise: nil) } else { context.fireUserInboundEventTriggered(event) }
    }
}
