import Configuration
import Egress
import Logging
import NIOCore
import NIOPosix

/// Waits for providers that open the connection themselves and say outbind (SMPP 3.4, 2.2.1): we then bind as receiver on it.
/// Lives on the connector's event loop.
final class OutbindListener {
    /// Connections at a time, those included that have not said outbind yet.
    private static let maximum = 16
    /// Numbers of such sessions, beside those of INSTANCES.
    private static let firstIndex = 1_000_000
    private static let retry = TimeAmount.seconds(2)

    private let address: Endpoint
    private let connector: ProviderConnector
    private var listener: (any Channel)?
    private var next = OutbindListener.firstIndex
    private var count = 0
    private var isClosed = false

    init(address: Endpoint, connector: ProviderConnector) {
        self.address = address
        self.connector = connector
    }

    func open() {
        guard !isClosed else { return }
        let loopBound = NIOLoopBound(self, eventLoop: connector.eventLoop)
        ServerBootstrap(group: connector.eventLoop)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let listener = loopBound.value
                    guard listener.count < OutbindListener.maximum, !listener.isClosed else { throw ChannelError.eof }
                    listener.count += 1
                    listener.next += 1
                    let remote = channel.remoteAddress.map { "\($0)" } ?? ""
                    let handler = ProviderHandler(
                        connector: listener.connector, index: listener.next, address: remote, awaitsOutbind: true
                    ) { _, _ in listener.count -= 1 }
                    try channel.pipeline.syncOperations.addHandler(handler)
                }
            }
            .bind(host: address.host, port: address.port)
            .whenComplete { loopBound.value.opened($0) }
    }

    private func opened(_ result: Result<any Channel, any Error>) {
        switch result {
        case .success(let channel):
            listener = channel
            if isClosed { channel.close(promise: nil) }
        case .failure(let error):
            connector.logger.error(
                "outbinds cannot be awaited", metadata: ["connector": "\(connector.name)", "address": "\(address)", "error": "\(error)"])
            let loopBound = NIOLoopBound(self, eventLoop: connector.eventLoop)
            connector.eventLoop.scheduleTask(in: OutbindListener.retry) { loopBound.value.open() }
        }
    }

    func close() {
        isClosed = true
        listener?.close(promise: nil)
    }
}
