import Bus
import Configuration
import Database
import Ingress
import NIOCore
import NIOPosix
import ServiceKit

/// Listens for clients of one connector, and brings them their deliveries.
struct SMPPListeners: Sendable {
    struct Running: Sendable {
        fileprivate var channels: [any Channel]
        fileprivate var sessions: OpenSessions
        fileprivate var stages: DeliveryStages
        fileprivate var ticker: Task<Void, Never>
    }

    let context: ServiceContext
    let shared: SharedParts

    func start(_ configuration: ConnectorConfiguration) async throws -> Running {
        let environment = context.environment
        try await TopicSetup.ensure(environment, connectors: [configuration.name], mailboxes: [configuration.name])
        let delivery = ClientDelivery(
            configuration, eventLoop: MultiThreadedEventLoopGroup.singleton.next(), database: context.database,
            receivers: ReceiverLookup(context, connector: configuration.name), intake: shared.intake, logger: environment.logger)
        let connector = IncomingConnector(
            configuration: configuration,
            entrance: try Entrance(configuration, refused: IngressMetrics.refusedConnections, logger: environment.logger),
            shared: shared, delivery: delivery,
            gate: shared.registry.connectorGate(configuration.name, limit: configuration.throughputPerSecond))
        let sessions = OpenSessions(limit: configuration.instances)
        var channels: [any Channel] = []
        do {
            for address in configuration.addresses {
                channels.append(try await listen(address, connector, sessions))
            }
        } catch {
            for channel in channels { try? await channel.close() }
            throw error
        }
        let stages = DeliveryStages(context, connector: configuration.name, delivery: delivery)
        await stages.start()
        // Ends when the connector stops (`stop` cancels it).
        let ticker = Task {
            var count = 1
            while !Task.isCancelled {
                try? await Task.sleep(for: .seconds(1))
                connector.entrance.refresh()
                await delivery.tick(count)
                if count % 10 == 0 { await stages.lookAfterOrphans() }
                count += 1
            }
        }
        return Running(channels: channels, sessions: sessions, stages: stages, ticker: ticker)
    }

    private func listen(_ address: Endpoint, _ connector: IncomingConnector, _ sessions: OpenSessions) async throws -> any Channel {
        try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.backlog, value: 1_024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let remote = try connector.entrance.admit(channel) { sessions.hasRoom }
                    let handler = ESMEHandler(connector: connector, remote: remote)
                    sessions.add(NIOLoopBound(handler, eventLoop: channel.eventLoop), channel)
                    try connector.entrance.secure(channel)
                    try channel.pipeline.syncOperations.addHandler(handler)
                }
            }
            .bind(host: address.host, port: address.port == 0 ? 0 : address.port + context.environment.portOffset).get()
    }

    /// No new connections; sessions are unbound; what clients have answered is written down.
    func stop(_ running: Running) async {
        for channel in running.channels { try? await channel.close() }
        await running.sessions.shutdown()
        running.ticker.cancel()
        await running.stages.stop()
    }
}
