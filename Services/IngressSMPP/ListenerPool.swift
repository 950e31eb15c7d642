import Bus
import Configuration
import Database
import Logging
import NIOCore
import NIOPosix
import ServiceKit
import ServiceLifecycle
import Store

/// Listens for each incoming connector that is configured, and follows changes: one that changed is stopped in order and started anew.
final class ListenerPool: Service {
    private struct Running {
        var configuration: ConnectorConfiguration
        var channels: [any Channel]
        var sessions: OpenSessions
        var delivery: ClientDelivery
        var stage: WindowedStage
        var ended: AsyncStream<Void>
        var ticker: Task<Void, Never>
    }

    private let context: ServiceContext
    private let intake: Intake
    private let ids: SharedMessageIDs
    private let authenticator: Authenticator
    private let wishes: AsyncStream<[ConnectorConfiguration]>
    private let wish: AsyncStream<[ConnectorConfiguration]>.Continuation

    init(_ context: ServiceContext, intake: Intake, ids: SharedMessageIDs) {
        self.context = context
        self.intake = intake
        self.ids = ids
        authenticator = Authenticator(context.environment)
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
        intake.close()
    }

    private func start(_ configuration: ConnectorConfiguration) async throws -> Running {
        let environment = context.environment
        try await TopicSetup.ensure(environment, connectors: [configuration.name])
        let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
        let delivery = ClientDelivery(
            connector: configuration.name, eventLoop: eventLoop, database: context.database, intake: intake, logger: environment.logger)
        let connector = IncomingConnector(
            configuration: configuration, environment: environment, rows: SessionRows(context), intake: intake,
            authenticator: authenticator, delivery: delivery, directory: SessionDirectory(), ids: ids, logger: environment.logger)
        let sessions = OpenSessions()
        var channels: [any Channel] = []
        do {
            for address in configuration.addresses {
                channels.append(try await listen(address, connector, sessions))
            }
        } catch {
            for channel in channels { try? await channel.close() }
            throw error
        }
        let group = "ingress-smpp.\(configuration.name)"
        var settings = WindowedStage.Settings(
            consumer: ConsumerSettings(group: group, topics: [Topics.queue(configuration.name)], instance: environment.instance),
            transactionalID: "\(group).\(environment.instance)")
        settings.journalPath = environment.journalPath(group)
        let stage = WindowedStage(
            environment.bus, settings: settings, onState: context.health.reporter("queue \(configuration.name)"),
            onRecorded: { delivery.recorded($0) }, onRecords: { delivery.receive($0) })
        await delivery.attach(stage)
        let (ended, end) = AsyncStream<Void>.makeStream()
        startThread("queue \(configuration.name)") {
            stage.run()
            end.finish()
        }
        // Ends when the connector stops (`stop` cancels it).
        let ticker = Task {
            var count = 1
            while !Task.isCancelled {
                try? await Task.sleep(for: .seconds(1))
                await delivery.tick(count)
                count += 1
            }
        }
        return Running(
            configuration: configuration, channels: channels, sessions: sessions, delivery: delivery, stage: stage, ended: ended,
            ticker: ticker)
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
                    let handler = ESMEHandler(connector: connector, remote: remote)
                    sessions.add(NIOLoopBound(handler, eventLoop: channel.eventLoop), channel)
                    try channel.pipeline.syncOperations.addHandler(handler)
                }
            }
            .bind(host: address.host, port: address.port).get()
    }

    /// No new connections; sessions are unbound; what clients have answered is written down.
    private func stop(_ running: Running) async {
        for channel in running.channels { try? await channel.close() }
        await running.sessions.shutdown()
        running.ticker.cancel()
        running.stage.stop()
        for await _ in running.ended {}
        context.health.remove("connector \(running.configuration.name)")
        context.health.remove("queue \(running.configuration.name)")
    }
}
