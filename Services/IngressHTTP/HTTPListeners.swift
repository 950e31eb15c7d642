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
import Store

/// Listens for clients of one connector, and brings their endpoints their deliveries.
struct HTTPListeners: Sendable {
    struct Running: Sendable {
        fileprivate var name: String
        fileprivate var servers: [Listening]
        fileprivate var stage: WindowedStage
        fileprivate var stageEnded: AsyncStream<Void>
        fileprivate var client: HTTPClient
        fileprivate var ticker: Task<Void, Never>
    }

    fileprivate struct Listening {
        var server: Server<ListenerChannel>
        var task: Task<Void, any Error>
    }

    let context: ServiceContext
    let shared: SharedParts
    let registry: SessionRegistry
    let webhooks: @Sendable () -> [String: Webhook]

    func start(_ configuration: ConnectorConfiguration) async throws -> Running {
        let environment = context.environment
        try await TopicSetup.ensure(environment, connectors: [configuration.name])
        let connector = HTTPConnector(
            configuration: configuration,
            entrance: try Entrance(configuration, refused: HTTPMetrics.refusedConnections, logger: environment.logger), shared: shared,
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
                connector.entrance.refresh()
                await courier.tick(count)
                count += 1
            }
        }
        return Running(
            name: configuration.name, servers: servers, stage: stage, stageEnded: ended, client: client, ticker: ticker)
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
            environment.bus, settings: settings, onState: context.health.reporter(name),
            hasBegun: { courier.hasBegunLeaving() }, onRecords: { courier.receive($0) })
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
    func stop(_ running: Running) async {
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
        context.health.remove("queue \(running.name)")
    }
}
