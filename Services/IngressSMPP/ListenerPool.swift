import Bus
import Configuration
import Database
import Ingress
import Logging
import NIOCore
import NIOPosix
import NIOSSL
import ServiceKit
import ServiceLifecycle
import Store

/// Listens for each incoming connector that is configured, and follows changes: one that changed is stopped in order and started anew.
final class ListenerPool: Service {
    private struct Running {
        var configuration: ConnectorConfiguration
        var channels: [any Channel]
        var sessions: OpenSessions
        var stages: DeliveryStages
        var ticker: Task<Void, Never>
    }

    private let context: ServiceContext
    private let shared: SharedParts
    private let wishes: AsyncStream<[ConnectorConfiguration]>
    private let wish: AsyncStream<[ConnectorConfiguration]>.Continuation

    init(_ context: ServiceContext, shared: SharedParts) {
        self.context = context
        self.shared = shared
        (wishes, wish) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        context.health.set("connectors", .starting)
    }

    func wanted(_ connectors: [ConnectorConfiguration]) { wish.yield(connectors) }

    func run() async throws {
        var running: [String: Running] = [:]
        let (wish, logger) = (wish, context.environment.logger)
        await withGracefulShutdownHandler {
            for await wanted in wishes {
                let names = Dictionary(wanted.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
                for (name, one) in running where names[name] != one.configuration {
                    logger.info("connector stops", metadata: ["connector": "\(name)"])
                    await stop(one)
                    running[name] = nil
                }
                var failed = false
                for (name, configuration) in names where running[name] == nil {
                    do {
                        running[name] = try await start(configuration)
                        context.health.set("connector \(name)", .healthy)
                        logger.info("connector listens", metadata: ["connector": "\(name)", "address": "\(configuration.addressText)"])
                    } catch {
                        failed = true
                        context.health.set("connector \(name)", .failing("cannot listen on \(configuration.addressText): \(error)"))
                        logger.error("connector cannot listen", metadata: ["connector": "\(name)", "error": "\(error)"])
                    }
                }
                context.health.set("connectors", .healthy)
                if failed {
                    // The port may become free: the same wish again, unless a newer one has come.
                    try? await Task.sleep(for: .seconds(1))
                    if case .enqueued = wish.yield(wanted) {}
                }
            }
        } onGracefulShutdown: {
            wish.finish()
        }
        for one in running.values { await stop(one) }
        shared.intake.close()
    }

    private func start(_ configuration: ConnectorConfiguration) async throws -> Running {
        let environment = context.environment
        try await TopicSetup.ensure(environment, connectors: [configuration.name], mailboxes: [configuration.name])
        let delivery = ClientDelivery(
            configuration, eventLoop: MultiThreadedEventLoopGroup.singleton.next(), database: context.database,
            receivers: ReceiverLookup(context, connector: configuration.name), intake: shared.intake, logger: environment.logger)
        let connector = IncomingConnector(
            configuration: configuration, access: configuration.incoming.access.compactMap { IPNetwork($0) }, shared: shared,
            delivery: delivery, tls: try configuration.incoming.tls.map { try TLSContexts($0, logger: environment.logger) },
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
                connector.tls?.refresh()
                await delivery.tick(count)
                if count % 10 == 0 { await stages.lookAfterOrphans() }
                count += 1
            }
        }
        return Running(configuration: configuration, channels: channels, sessions: sessions, stages: stages, ticker: ticker)
    }

    private func listen(_ address: Endpoint, _ connector: IncomingConnector, _ sessions: OpenSessions) async throws -> any Channel {
        try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.backlog, value: 1_024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    guard let text = channel.remoteAddress?.ipAddress, let remote = IPAddress(text) else {
                        throw ServiceError("a connection without an address")
                    }
                    func refuse(_ why: String) -> ServiceError {
                        IngressMetrics.refusedConnections.add()
                        connector.logger.notice(
                            "connection refused",
                            metadata: ["connector": "\(connector.name)", "remote": "\(remote)", "reason": "\(why)"])
                        return ServiceError(why)
                    }
                    guard connector.allows(remote) else { throw refuse("not in ACCESS") }
                    guard sessions.hasRoom else { throw refuse("too many connections for INSTANCES") }
                    let handler = ESMEHandler(connector: connector, remote: remote)
                    sessions.add(NIOLoopBound(handler, eventLoop: channel.eventLoop), channel)
                    if let tls = connector.tls {
                        try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: tls.current))
                    }
                    try channel.pipeline.syncOperations.addHandler(handler)
                }
            }
            .bind(host: address.host, port: address.port == 0 ? 0 : address.port + context.environment.portOffset).get()
    }

    /// No new connections; sessions are unbound; what clients have answered is written down.
    private func stop(_ running: Running) async {
        for channel in running.channels { try? await channel.close() }
        await running.sessions.shutdown()
        running.ticker.cancel()
        await running.stages.stop()
        context.health.remove("connector \(running.configuration.name)")
    }
}
