public import Bus
public import Configuration
import Logging
public import ServiceKit
public import ServiceLifecycle
import Synchronization

/// The way to one running connector, whatever its protocol. Its methods are called from any thread.
public protocol ConnectorFeed: Sendable {
    /// Begins to connect and to send; what is done is told to `stage`.
    func start(_ stage: WindowedStage) async throws
    /// Takes records of its queue, in order. Called on the stage's thread, must not block for long.
    func receive(_ claimed: [ClaimedRecord])
    /// That many parts are written down. Called on the stage's thread.
    func recorded(_ parts: Int)
    /// Whether something was sent, and not answered, that is about to go to another instance. Called on the stage's thread.
    func hasBegunLeaving() -> Bool
    /// Follows what senders ordered of these messages.
    /// - Returns: where those stand that are being decided.
    func consider(_ msgids: [Int64]) async -> [Int64: QueueOrderVote]
    /// Takes over what an operator ordered, and another share of the sessions where there is one.
    func follow(_ options: OutgoingOptions, before: OutgoingOptions, share: SessionShare?) async
    /// Ends in order: no more is sent, answers are waited for a while.
    func stop() async
}

/// Runs a connector for each that is configured, and follows changes: one that changed is stopped in order and started anew; an
/// operator's hold or bounce, and other sessions that became ours, take effect in place.
public final class ConnectorPool: Service {
    public typealias FeedMaker = @Sendable (ConnectorConfiguration, SessionShare) async throws -> any ConnectorFeed

    private struct Running {
        var configuration: ConnectorConfiguration
        var feed: any ConnectorFeed
        var stage: WindowedStage
        var ended: AsyncStream<Void>
    }

    private struct Wanted {
        var connectors: [ConnectorConfiguration] = []
        /// Not known before the first look at the other instances.
        var share: SessionShare?
    }

    private static let startAgainAfter = Duration.seconds(5)

    private let context: ServiceContext
    private let makeFeed: FeedMaker
    private let onEnd: @Sendable (String) -> Void
    private let onStopped: @Sendable () -> Void
    private let wanted = Mutex(Wanted())
    private let changes: AsyncStream<Void>
    private let change: AsyncStream<Void>.Continuation

    /// - Parameters:
    ///   - onEnd: when a connector has stopped and holds no message any more; by its name.
    ///   - onStopped: when all connectors have stopped.
    ///   - makeFeed: makes a connector, which does nothing yet.
    public init(
        _ context: ServiceContext, onEnd: @escaping @Sendable (String) -> Void = { _ in }, onStopped: @escaping @Sendable () -> Void,
        makeFeed: @escaping FeedMaker
    ) {
        self.context = context
        self.makeFeed = makeFeed
        self.onEnd = onEnd
        self.onStopped = onStopped
        // Only that something changed is told; what, is looked up.
        (changes, change) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        context.health.set("connectors", .starting)
    }

    public func wanted(_ connectors: [ConnectorConfiguration]) {
        wanted.withLock { $0.connectors = connectors }
        change.yield()
    }

    public func wanted(_ share: SessionShare) {
        wanted.withLock { $0.share = share }
        change.yield()
    }

    public func run() async throws {
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
                        context.environment.logger.error("connector not started", metadata: ["connector": "\(name)", "error": "\(error)"])
                        context.health.set("connector \(name)", .failing("not started: \(error)"))
                        // Nobody waits for it: it only asks for another look, in case the reason has gone by then.
                        Task {
                            try? await Task.sleep(for: ConnectorPool.startAgainAfter)
                            change.yield()
                        }
                    }
                }
                applied = share
                context.health.set("connectors", .healthy)
            }
        } onGracefulShutdown: {
            change.finish()
        }
        for one in running.values { await stop(one) }
        onStopped()
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
        let feed = try await makeFeed(configuration, share)
        let group = "\(environment.service).\(configuration.name)"
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
            onRecorded: { feed.recorded($0) }, hasBegun: { feed.hasBegunLeaving() }, onRecords: { feed.receive($0) })
        let (ended, end) = AsyncStream<Void>.makeStream()
        startThread("queue \(configuration.name)") {
            stage.run()
            end.finish()
        }
        try await feed.start(stage)
        return Running(configuration: configuration, feed: feed, stage: stage, ended: ended)
    }

    /// The sessions first, so that their last answers are still written down.
    private func stop(_ running: Running) async {
        await running.feed.stop()
        running.stage.stop()
        for await _ in running.ended {}
        onEnd(running.configuration.name)
        context.health.remove("queue \(running.configuration.name)")
    }
}
