import LoadModel
import NIOCore
import NIOHTTP1
import NIOPosix

/// Our own load: client sessions that keep their windows full, or a fixed rate, and keep book of every message.
///
/// All of it runs on one thread of its own, so that what it costs can be told from what it measures.
final class LoadGenerator: Sendable {
    /// What a load came to.
    struct State: Sendable {
        var book: LoadBook
        var sessions: Int
        var sessionsLost: Int
        var trouble: String?
    }

    private let group: MultiThreadedEventLoopGroup
    private let core: NIOLoopBoundBox<LoadCore>

    private init(group: MultiThreadedEventLoopGroup, core: NIOLoopBoundBox<LoadCore>) {
        self.group = group
        self.core = core
    }

    /// Connects and binds every session.
    /// - Throws: `LoadFailure` with what the gateway said to the first that failed.
    static func connect(_ plan: LoadPlan) async throws -> LoadGenerator {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        do {
            let eventLoop = group.next()
            let core = try await eventLoop.submit {
                NIOLoopBoundBox(try LoadCore(plan: plan, eventLoop: eventLoop), eventLoop: eventLoop)
            }.get()
            if case .http = plan.manner {
                let port = try await Self.listen(eventLoop, core)
                eventLoop.execute { core.value.reportPort = port }
            }
            let bound = eventLoop.makePromise(of: Void.self)
            eventLoop.execute {
                core.value.bindAll(bound) { Self.connectOne(plan, eventLoop, core) }
            }
            let generator = LoadGenerator(group: group, core: core)
            do { try await bound.futureResult.get() } catch {
                await generator.close()
                throw error
            }
            return generator
        } catch {
            try? await group.shutdownGracefully()
            throw error
        }
    }

    /// Takes reports on a free port, until the event loop ends.
    private static func listen(_ eventLoop: any EventLoop, _ core: NIOLoopBoundBox<LoadCore>) async throws -> Int {
        let channel = try await ServerBootstrap(group: eventLoop, childGroup: eventLoop)
            .serverChannelOption(.backlog, value: 1_024)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(ReportListener(core: core.value))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        guard let port = channel.localAddress?.port else { throw LoadFailure("no port to take reports on") }
        return port
    }

    private static func connectOne(_ plan: LoadPlan, _ eventLoop: any EventLoop, _ core: NIOLoopBoundBox<LoadCore>) {
        ClientBootstrap(group: eventLoop)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .connectTimeout(.seconds(30))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    switch plan.manner {
                    case .smpp: try channel.pipeline.syncOperations.addHandler(LoadSession(core: core.value))
                    case .http(let batch):
                        try channel.pipeline.syncOperations.addHTTPClientHandlers()
                        try channel.pipeline.syncOperations.addHandler(HTTPLoadClient(core: core.value, batch: batch))
                    }
                }
            }
            .connect(host: "127.0.0.1", port: plan.port).whenFailure { core.value.connectFailed($0) }
    }

    /// Sends as ordered, and returns when it is done or nothing moves any more.
    func run(_ order: LoadOrder) async throws {
        let eventLoop = group.next()
        let finished = eventLoop.makePromise(of: Void.self)
        eventLoop.execute { self.core.value.start(order, finished) }
        try await withTaskCancellationHandler {
            try await finished.futureResult.get()
        } onCancel: {
            eventLoop.execute { self.core.value.cancel() }
        }
        try Task.checkCancellation()
    }

    func state() async throws -> State {
        try await group.next().submit {
            let core = self.core.value
            return State(book: core.book, sessions: core.sessions.count, sessionsLost: core.sessionsLost, trouble: core.lastTrouble)
        }.get()
    }

    /// How many messages are finished: cheap to ask.
    func finished() async throws -> Int { try await group.next().submit { self.core.value.book.finished }.get() }

    func close() async {
        let channels = try? await group.next().submit { self.core.value.close() }.get()
        for channel in channels ?? [] { try? await channel.closeFuture.get() }
        try? await group.shutdownGracefully()
    }
}
