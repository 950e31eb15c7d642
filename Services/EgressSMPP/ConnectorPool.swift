import Bus
import Configuration
import Database
import Logging
import NIOCore
import NIOPosix
import ServiceKit
import ServiceLifecycle
import Store
import Synchronization

/// Runs a connector for each that is configured, and follows changes: one that changed is stopped in order and started anew; an
/// operator's hold or bounce, and other sessions that became ours, take effect in place.
final class ConnectorPool: Service {
    private struct Running {
        var configuration: ConnectorConfiguration
        var feed: QueueFeed
        var stage: WindowedStage
        var ended: AsyncStream<Void>
    }

    private struct Wanted {
        var connectors: [ConnectorConfiguration] = []
        /// Not known before the first look at the other instances.
        var share: SessionShare?
    }

    private let context: ServiceContext
    private let receipts: ReceiptIntake
    private let board: StateBoard
    /// What senders ordered, and the connectors that are to follow it.
    private let orders: OrderDesk
    private let wanted = Mutex(Wanted())
    private let changes: AsyncStream<Void>
    private let change: AsyncStream<Void>.Continuation

    init(_ context: ServiceContext, receipts: ReceiptIntake, board: StateBoard, orders: OrderDesk) {
        self.context = context
        self.receipts = receipts
        self.board = board
        self.orders = orders
        // Only that something changed is told; what, is looked up.
        (changes, change) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        context.health.set("connectors", .starting)
    }

    func wanted(_ connectors: [ConnectorConfiguration]) {
        wanted.withLock { $0.connectors = connectors }
        change.yield()
    }

    func wanted(_ share: SessionShare) {
        wanted.withLock { $0.share = share }
        change.yield()
    }

    func run() async throws {
        var running: [String: Running] = [:]
        var applied: SessionShare?
        let change = change
        await withGracefulShutdownHandler {
            for await _ in changes {
                let now = wanted.withLock { $0 }
                guard let share = now.share else { continue }
                // Where there are more instances than sessions, some have none of this connector: they must not take its queue either.
                let ours = now.connectors.filter { !share.sessions(of: $0.instances).isEmpty }
                let names = Dictionary(ours.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
                for (name, one) in running where names[name].map(Self.lasting) != Self.lasting(one.configuration) {
                    context.environment.logger.info("connector stops", metadata: ["connector": "\(name)"])
                    await stop(one)
                    running[name] = nil
                }
                for (name, configuration) in names {
                    if let one = running[name] {
                        running[name]?.configuration = configuration
                        await one.feed.follow(
                            configuration.outgoing, before: one.configuration.outgoing, share: share == applied ? nil : share)
                        continue
                    }
                    context.environment.logger.info(
                        "connector starts", metadata: ["connector": "\(name)", "address": "\(configuration.addressText)"])
                    do {
                        running[name] = try await start(configuration, share)
                    } catch {
                        // Event loops take work until the process ends; then it does not matter any more.
                        context.environment.logger.error("connector not started", metadata: ["connector": "\(name)", "error": "\(error)"])
                    }
                }
                applied = share
                context.health.set("connectors", .healthy)
            }
        } onGracefulShutdown: {
            change.finish()
        }
        for one in running.values { await stop(one) }
        receipts.close()
    }

    /// What a change of takes a new start.
    private static func lasting(_ configuration: ConnectorConfiguration) -> ConnectorConfiguration {
        var lasting = configuration
        lasting.outgoing.isHeld = false
        lasting.outgoing.bounces = 0
        return lasting
    }

    private func start(_ configuration: ConnectorConfiguration, _ share: SessionShare) async throws -> Running {
        let environment = context.environment
        try await TopicSetup.ensure(environment, connectors: [configuration.name])
        let (name, address) = (configuration.name, configuration.addressText)
        // A database that is away costs what was learnt, not the connector.
        let knownIDs = try? await context.database.run { try MessageIDRuleStore.load($0, connector: name, address: address) }
        let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
        let (health, receipts, rows, board, book) = (context.health, receipts, SessionRows(context), board, orders.book)
        let connector = try await eventLoop.submit {
            NIOLoopBound(
                ProviderConnector(
                    configuration: configuration, share: share, environment: environment, health: health, receipts: receipts, rows: rows,
                    board: board, book: book, knownIDs: knownIDs, eventLoop: eventLoop),
                eventLoop: eventLoop)
        }.get()
        let feed = QueueFeed(configuration, eventLoop: eventLoop, connector: connector, logger: environment.logger)
        let group = "egress-smpp.\(configuration.name)"
        var settings = WindowedStage.Settings(
            consumer: ConsumerSettings(
                group: group, topics: [Topics.priorityQueue(configuration.name), Topics.queue(configuration.name)],
                instance: environment.instance), transactionalID: "\(group).\(environment.instance)")
        settings.journalPath = environment.journalPath(group)
        let window = if case .fixed(let size) = configuration.windowSize { size } else { WindowControl.largest }
        // Enough to keep every window full while what was answered is written down, and no more: the rest waits in the topic.
        settings.maxOpen = min(10_000, max(1_000, window * max(1, configuration.instances) * 8))
        let stage = WindowedStage(
            environment.bus, settings: settings, onState: context.health.reporter("queue \(configuration.name)"),
            onRecorded: { feed.recorded($0) }, onRecords: { feed.receive($0) })
        // Before the first record is read: an order must not be told to nobody.
        orders.add(feed, configuration.name)
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
        orders.remove(running.configuration.name)
        context.health.remove("queue \(running.configuration.name)")
    }
}
