import Configuration
import HummingbirdCore
import Ingress
import Logging
import NIOCore
import Synchronization

/// Hummingbird's HTTP/1.1 channel behind what every connection passes first: ACCESS, the bound on connections, and TLS with the
/// certificate as it is now.
struct ListenerChannel: ServerChildChannel {
    typealias Value = HTTP1Channel.Value

    private let connector: HTTPConnector
    private let connections: OpenConnections
    private let base: HTTP1Channel

    init(_ connector: HTTPConnector, connections: OpenConnections) {
        self.connector = connector
        self.connections = connections
        let door = Door(connector: connector)
        let limits = HTTP1Channel.Configuration.DecoderConfiguration(
            maxHeaderFieldSize: 16 * 1_024, maxHeaderListSize: 64 * 1_024, maxHeaderFieldCount: 100)
        base = HTTP1Channel(
            responder: { request, writer, channel in
                let response = await door.respond(to: request, from: channel)
                try await writer.write(response: response.head, body: response.body)
            },
            configuration: .init(idleTimeout: .seconds(Int64(connector.options.idleSeconds)), httpDecoderConfiguration: limits))
    }

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        let (connector, connections, base) = (connector, connections, base)
        return channel.eventLoop.makeCompletedFuture {
            _ = try connector.entrance.admit(channel) { connections.open() }
            channel.closeFuture.whenComplete { _ in connections.closed() }
            try connector.entrance.secure(channel)
        }.flatMap { base.setup(channel: channel, logger: logger) }
    }

    func handle(value: Value, logger: Logger) async { await base.handle(value: value, logger: logger) }
}

/// How many connections a connector has, and may have.
final class OpenConnections: Sendable {
    private let count = Atomic<Int>(0)
    private let limit: Int

    /// - Parameter limit: INSTANCES.
    init(limit: Int) { self.limit = limit }

    /// - Returns: false where there are too many; then it counts for nothing.
    func open() -> Bool {
        guard count.wrappingAdd(1, ordering: .relaxed).newValue <= limit else {
            closed()
            return false
        }
        return true
    }

    func closed() { count.wrappingSubtract(1, ordering: .relaxed) }
}
