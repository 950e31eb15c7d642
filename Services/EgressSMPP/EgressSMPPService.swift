import Bus
import Configuration
import Database
import Logging
import NIOCore
import NIOPosix
public import ServiceKit
public import ServiceLifecycle
import Store
import Synchronization

/// Holds the sessions with providers: submits what is queued for them, takes in what they report.
public enum EgressSMPPService {
    public static func build(_ context: ServiceContext) async throws -> [any Service] {
        try await SessionRows(context).clear()
        let ids = SharedMessageIDs(try await context.messageIDs())
        let receipts = try ReceiptIntake(context.environment, ids: ids)
        let connectors = ConnectorPool(context, receipts: receipts)
        let snapshot = try await Snapshot(
            "connectors", context, load: { try loadConnectors($0) }, onChange: { connectors.wanted($0) })
        connectors.wanted(snapshot.value)
        return [connectors, snapshot]
    }
}

/// The outgoing SMPP connectors, as the operator has them now.
private func loadConnectors(_ connection: Connection) throws -> [ConnectorConfiguration] {
    try ConnectorStore.load(connection).connectors.filter { $0.direction == .outgoing && $0.protocolName == "SMPP" && !$0.isDisabled }
}

/// Runs a connector for each that is configured, and follows changes: one that changed is stopped in order and started anew.
final class ConnectorPool: Service {
    private struct Running {
        var configuration: ConnectorConfiguration
        var feed: QueueFeed
        var stage: WindowedStage
        var ended: AsyncStream<Void>
    }

    private let context: ServiceContext
    private let receipts: ReceiptIntake
    private let wishes: AsyncStream<[ConnectorConfiguration]>
    private let wish: AsyncStream<[ConnectorConfiguration]>.Continuation

    init(_ context: ServiceContext, receipts: ReceiptIntake) {
        self.context = context
        self.receipts = receipts
        // Only the newest wish counts.
        (wishes, wish) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        context.health.set("connectors", .starting)
    }

    func wanted(_ connectors: [ConnectorConfiguration]) { wish.yield(connectors) }

    func run() async throws {
        var running: [String: Running] = [:]
        let wish = wish
        await withGracefulShutdownHandler {
            for await wanted in wishes {
                let names = Dictionary(wanted.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
                for (name, one) in running where names[name] != one.configuration {
                    context.environment.logger.info("connector stops", metadata: ["connector": "\(name)"])
                    await stop(one)
                    running[name] = nil
                }
                for (name, configuration) in names where running[name] == nil {
                    context.environment.logger.info(
                        "connector starts", metadata: ["connector": "\(name)", "address": "\(configuration.addressText)"])
                    do {
                        running[name] = try await start(configuration)
                    } catch {
                        // Event loops take work until the process ends; then it does not matter any more.
                        context.environment.logger.error("connector not started", metadata: ["connector": "\(name)", "error": "\(error)"])
                    }
                }
                context.health.set("connectors", .healthy)
            }
        } onGracefulShutdown: {
            wish.finish()
        }
        for one in running.values { await stop(one) }
        receipts.close()
    }

    private func start(_ configuration: ConnectorConfiguration) async throws -> Running {
        let environment = context.environment
        try await TopicSetup.ensure(environment, connectors: [configuration.name])
        let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
        let (health, receipts, rows) = (context.health, receipts, SessionRows(context))
        let connector = try await eventLoop.submit {
            NIOLoopBound(
                ProviderConnector(
                    configuration: configuration, environment: environment, health: health, receipts: receipts, rows: rows,
                    eventLoop: eventLoop),
                eventLoop: eventLoop)
        }.get()
        let feed = QueueFeed(name: configuration.name, eventLoop: eventLoop, connector: connector, logger: environment.logger)
        let group = "egress-smpp.\(configuration.name)"
        var settings = WindowedStage.Settings(
            consumer: ConsumerSettings(
                group: group, topics: [Topics.priorityQueue(configuration.name), Topics.queue(configuration.name)],
                instance: environment.instance), transactionalID: "\(group).\(environment.instance)")
        settings.journalPath = environment.journalPath(group)
        let window = if case .fixed(let size) = configuration.windowSize { size } else { 20 }
        // Enough to keep every window full while what was answered is written down, and no more: the rest waits in the topic.
        settings.maxOpen = min(10_000, max(1_000, window * max(1, configuration.instances) * 8))
        let stage = WindowedStage(
            environment.bus, settings: settings, onState: context.health.reporter("queue \(configuration.name)"),
            onRecorded: { feed.recorded($0) }, onRecords: { feed.receive($0) })
        let (ended, end) = AsyncStream<Void>.makeStream()
        startThread("queue \(configuration.name)") {
            stage.run()
            end.finish()
        }
        try await eventLoop.submit { connector.value.start(stage) }.get()
        return Running(configuration: configuration, feed: feed, stage: stage, ended: ended)
    }

    /// The sessions first, so that their last answers are still written down.
    private func stop(_ running: Running) async {
        await running.feed.stop()
        running.stage.stop()
        for await _ in running.ended {}
        context.health.remove("queue \(running.configuration.name)")
    }
}
