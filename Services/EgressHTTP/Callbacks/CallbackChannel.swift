import HummingbirdCore
import Ingress
import Logging
import NIOCore
import NIOSSL

/// Hummingbird's HTTP/1.1 channel, behind TLS with the certificate as it is now where there is one.
struct CallbackChannel: ServerChildChannel {
    typealias Value = HTTP1Channel.Value

    /// A provider that keeps its connection open and says nothing.
    private static let idle = TimeAmount.seconds(60)

    private let tls: TLSContexts?
    private let base: HTTP1Channel

    init(_ tls: TLSContexts?, responder: @escaping HTTPChannelHandler.Responder) {
        self.tls = tls
        base = HTTP1Channel(responder: responder, configuration: .init(idleTimeout: CallbackChannel.idle))
    }

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        channel.eventLoop.makeCompletedFuture {
            if let tls { try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: tls.current)) }
        }.flatMap { base.setup(channel: channel, logger: logger) }
    }

    func handle(value: Value, logger: Logger) async { await base.handle(value: value, logger: logger) }
}
