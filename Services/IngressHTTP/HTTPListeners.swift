import Bus
import Configuration
import Database
import HTTPClient
import HummingbirdCore
import Ingress
import Logging
import NIOCore
import NIOPosix
import ServiceKit
import ServiceLifecycle
import Store

/// Listens for each incoming HTTP connector that is configured, and follows changes: one that changed is stopped in order and started
/// anew.
final class HTTPListeners: Service {
    private struct Running {
        var configuration: ConnectorConfiguration
        var servers: [Listening]
        var stage: WindowedStage
        var stageEnded: AsyncStream<Void>
        var client: HTTPClient
        var ticker: Task<Void, Never>
    }

    private struct Listening {
        var server: Server<ListenerChannel>
        var task: Task<Void, any Error>
    }

    private let context: ServiceContext
    private let shared: SharedParts
    private let registry: SessionRegistry
    private let webhooks: @Sendable () -> [String: Webhook]
    private let wishes: AsyncStream<[ConnectorConfiguration]>
    private let wish: AsyncStream<[ConnectorConfiguration]>.Continuation

    init(
        _ context: ServiceContext, shared: SharedParts, registry: SessionRegistry, webhooks: @escaping @Sendable () -> [String: Webhook]
    ) {
        self.context = context
        self.shared = shared
        self.registry = registry
        self.webhooks = webhooks
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
        shared.acceptance.intake.close()
    }

    private func start(_ configuration: ConnectorConfiguration) async throws -> Running {
        let environment = context.environment
        try await TopicSetup.ensure(environment, connectors: [configuration.name])
        let connector = HTTPConnector(
            configuration: configuration, access: configuration.incoming.access.compactMap { IPNetwork($0) }, shared: shared,
            tls: try configuration.incoming.tls.map { try TLSContexts($0, logger: environment.logger) },
            gate: registry.connectorGate(configuration.name, limit: configuration.throughputPerSecond))
        let client = try makeClient(configuration)
        var servers: [Listening] = []
        do {
            let connections = OpenConnections(limit: configuration.httpServer.maxConnections)
            for address in configuration.addresses { servers.append(try await listen(address, connector, connections)) }
        } catch {
            for one in servers { try? await one.server.shutdownGracefully() }
            client.close()
            throw error
        }
        let courier = WebhookCourier(
            configuration, eventLoop: MultiThreadedEventLoopGroup.singleton.next(),
            database: Database(url: environment.databaseURL, applicationName: "\(environment.instance)/webhooks"), client: client,
            acceptance: shared.acceptance, webhooks: webhooks, logger: environment.logger)
        let (stage, ended) = await deliver(configuration, courier)
        // Ends when the connector stops (`stop` cancels it).
        let ticker = Task {
            var count = 1
            while !Task.isCancelled {
                try? await Task.sleep(for: .seconds(1))
                connector.tls?.refresh()
                await courier.tick(count)
                count += 1
            }
        }
        return Running(
            configuration: configuration, servers: servers, stage: stage, stageEnded: ended, client: client, ticker: ticker)
    }

    private func makeClient(_ configuration: ConnectorConfiguration) throws -> HTTPClient {
        var settings = HTTPClient.Configuration()
        settings.timeout = .seconds(Int64(configuration.httpServer.webhookTimeoutSeconds))
        settings.connectTimeout = min(settings.connectTimeout, settings.timeout)
        let guardian = AddressGuard(allowed: configuration.httpServer.webhookAllowed)
        return try HTTPClient(settings) { guardian.allows($0) }
    }

    /// The stage that reads the connector's queue, on a thread of its own.
    private func deliver(
        _ configuration: ConnectorConfiguration, _ courier: WebhookCourier
    ) async -> (WindowedStage, AsyncStream<Void>) {
        let environment = context.environment
        let group = "ingress-http.\(configuration.name)"
        var settings = WindowedStage.Settings(
            consumer: ConsumerSettings(group: group, topics: [Topics.queue(configuration.name)], instance: environment.instance),
            transactionalID: "\(group).\(environment.instance)")
        settings.journalPath = environment.journalPath(group)
        settings.maxOpen = WebhookCourier.capacity
        let name = "queue \(configuration.name)"
        let stage = WindowedStage(
            environment.bus, settings: settings, onState: context.health.reporter(name), onRecords: { courier.receive($0) })
        await courier.attach(stage)
        let (ended, end) = AsyncStream<Void>.makeStream()
        startThread(name) {
            stage.run()
            end.finish()
        }
        return (stage, ended)
    }

    private func listen(
        _ address: Endpoint, _ connector: HTTPConnector, _ connections: OpenConnections
    ) async throws -> Listening {
        let (running, isRunning) = AsyncStream<Result<Void, any Error>>.makeStream(bufferingPolicy: .bufferingNewest(1))
        let port = address.port == 0 ? 0 : address.port + context.environment.portOffset
        var logger = context.environment.logger
        // Hummingbird narrates at info; for an operator that is debug.
        logger.logLevel = max(logger.logLevel, .warning)
        let server = Server(
            childChannelSetup: ListenerChannel(connector, connections: connections),
            configuration: ServerConfiguration(address: .hostname(address.host, port: port), backlog: 1_024),
            onServerRunning: { _ in isRunning.yield(.success(())) }, eventLoopGroup: MultiThreadedEventLoopGroup.singleton, logger: logger)
        // Ends when the server is shut down (`stop`), or at once where it cannot listen.
        let task = Task {
            do {
                try await server.run()
                isRunning.yield(.failure(ServiceError("it was stopped")))
            } catch {
                isRunning.yield(.failure(error))
                throw error
            }
        }
        for await result in running {
            try result.get()
            return Listening(server: server, task: task)
        }
        throw ServiceError("it was stopped")
    }

    /// No new connections; what is under way is answered; what endpoints have answered is written down.
    private func stop(_ running: Running) async {
        await withTaskGroup(of: Void.self) { group in
            for one in running.servers {
                group.addTask {
                    try? await one.server.shutdownGracefully()
                    _ = try? await one.task.value
                }
            }
        }
        running.ticker.cancel()
        running.stage.stop()
        for await _ in running.stageEnded {}
        running.client.close()
        context.health.remove("queue \(running.configuration.name)")
        context.health.remove("connector \(running.configuration.name)")
    }
}
