public import Logging
import CPlatform
import NIOCore
import NIOPosix
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Why the broker does not start.
public enum LocalBrokerError: Error, CustomStringConvertible, Sendable {
    case configuration([String])
    case directoryInUse(String)
    case cannotOpen(String)

    public var description: String {
        switch self {
        case .configuration(let faults): "the broker's configuration is wrong: \(faults.joined(separator: "; "))"
        case .directoryInUse(let directory): "another broker uses the data directory \(directory)"
        case .cannotOpen(let reason): "the broker's data directory cannot be opened: \(reason)"
        }
    }
}

/// A single-node broker that speaks the Kafka protocol. See docs/broker.md.
public final class LocalBroker: Sendable {
    /// Where it listens.
    public let boundPort: Int

    private let lock: OpenFile
    private let ioGroup: MultiThreadedEventLoopGroup
    private let coreGroup: MultiThreadedEventLoopGroup
    private let core: NIOLoopBound<BrokerCore>
    private let pools: [NIOThreadPool]
    private let server: any Channel
    private let connections: ConnectionRegistry
    private let timers: [RepeatedTask]
    private let logger: Logger
    private let stopped: EventLoopPromise<Void>
    private let stopping = Mutex(false)

    private init(
        boundPort: Int, lock: OpenFile, ioGroup: MultiThreadedEventLoopGroup, coreGroup: MultiThreadedEventLoopGroup,
        core: NIOLoopBound<BrokerCore>, pools: [NIOThreadPool], server: any Channel, connections: ConnectionRegistry,
        timers: [RepeatedTask], logger: Logger
    ) {
        self.boundPort = boundPort
        self.lock = lock
        self.ioGroup = ioGroup
        self.coreGroup = coreGroup
        self.core = core
        self.pools = pools
        self.server = server
        self.connections = connections
        self.timers = timers
        self.logger = logger
        // On a loop that outlives this broker's own, so that whoever asks late is answered too.
        self.stopped = MultiThreadedEventLoopGroup.singleton.any().makePromise()
    }

    /// Recovers the data directory, then listens.
    /// - Throws: `LocalBrokerError`, or NIO's error when the address cannot be bound.
    public static func start(_ configuration: BrokerConfiguration, logger: Logger) async throws -> LocalBroker {
        let faults = configuration.validate()
        guard faults.isEmpty else { throw LocalBrokerError.configuration(faults) }
        _ = cplatform_raise_open_files()
        let directory = configuration.dataDirectory
        let lock: OpenFile
        do throws(FileError) {
            try Directory.create(directory)
            lock = try OpenFile("\(directory)/lock", .readWriteCreate)
        } catch {
            throw LocalBrokerError.cannotOpen("\(error)")
        }
        guard flock(lock.descriptor, LOCK_EX | LOCK_NB) == 0 else { throw LocalBrokerError.directoryInUse(directory) }

        let ioGroup = MultiThreadedEventLoopGroup(numberOfThreads: configuration.ioThreads)
        let coreGroup = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let pools = [1, 2, 1].map { NIOThreadPool(numberOfThreads: $0) }
        pools.forEach { $0.start() }
        pools[0].submit { _ in cplatform_wake_soon() }
        let loop = coreGroup.any()
        let ioLoops = ioGroup.makeIterator().map { $0 as any EventLoop }
        for each in ioLoops + [loop] { each.execute { cplatform_wake_soon() } }
        let submitter = Submitter(loop: loop)
        let budget = RequestBudget(inflight: configuration.maxInflightBytes, partial: configuration.maxPartialBytes)
        let connections = ConnectionRegistry(limit: configuration.maxConnections)
        do {
            // Bound before recovery, so that a wrong address is told at once; nobody is accepted before the core is there.
            let server = try await listen(configuration, ioGroup, ioLoops, submitter, connections, budget, logger)
            let port = server.localAddress?.port ?? configuration.listenPort
            let host =
                configuration.advertisedHost
                ?? (["0.0.0.0", "::", ""].contains(configuration.listenHost) ? "127.0.0.1" : configuration.listenHost)
            let advertised = (host: host, port: Int32(configuration.advertisedPort ?? port))
            let core = try await loop.submit {
                NIOLoopBound(
                    try recover(configuration, loop, ioLoops, advertised, pools, logger), eventLoop: loop)
            }.get()
            submitter.open(core)
            let timers = try await loop.submit {
                [
                    loop.scheduleRepeatedTask(initialDelay: .milliseconds(100), delay: .milliseconds(100)) { _ in core.value.tick() },
                    loop.scheduleRepeatedTask(
                        initialDelay: .milliseconds(Int64(configuration.housekeepingIntervalMilliseconds)),
                        delay: .milliseconds(Int64(configuration.housekeepingIntervalMilliseconds))
                    ) { _ in core.value.housekeep() },
                ]
            }.get()
            logger.notice("the broker listens", metadata: ["port": "\(port)", "data": "\(directory)"])
            return LocalBroker(
                boundPort: port, lock: lock, ioGroup: ioGroup, coreGroup: coreGroup, core: core, pools: pools, server: server,
                connections: connections, timers: timers, logger: logger)
        } catch {
            try? await ioGroup.shutdownGracefully()
            try? await coreGroup.shutdownGracefully()
            for pool in pools { try? await pool.shutdownGracefully() }
            if let error = error as? JournalFormatError { throw LocalBrokerError.cannotOpen(error.what) }
            throw error
        }
    }

    private static func recover(
        _ configuration: BrokerConfiguration, _ loop: any EventLoop, _ ioLoops: [any EventLoop],
        _ advertised: (host: String, port: Int32), _ pools: [NIOThreadPool], _ logger: Logger
    ) throws -> BrokerCore {
        let began = NIODeadline.now()
        let state = BrokerState(
            directory: configuration.dataDirectory, segmentBytes: configuration.segmentBytes,
            initialRebalanceDelay: Int64(configuration.initialRebalanceDelayMilliseconds))
        let uptime = Int64(NIODeadline.now().uptimeNanoseconds / 1_000_000)
        let report = try Recovery(directory: configuration.dataDirectory, logger: logger, now: wallClockMilliseconds(), uptime: uptime)
            .run(into: state)
        // What was replayed gets synced and checkpointed before anybody is served: the journal that follows starts empty.
        let snapshot = Checkpoint.encode(state)
        var syncLog: SyncLog?
        if let path = configuration.syncLog { syncLog = try SyncLog(path) }
        let writer = try StorageWriter(directory: configuration.dataDirectory, sequence: state.nextSequence, syncLog: syncLog)
        try StorageWriter.checkpoint(
            snapshot, files: Array(report.files.values), sequence: state.nextSequence, directory: configuration.dataDirectory,
            syncLog: syncLog)
        logger.info(
            "the data directory is recovered",
            metadata: [
                "milliseconds": "\((NIODeadline.now() - began).nanoseconds / 1_000_000)", "topics": "\(state.topics.count)",
                "partitions": "\(state.partitionCount)", "journal.entries": "\(report.entries)", "journal.octets": "\(report.octets)",
                "journal.torn": "\(report.tornTail)",
            ])
        let core = BrokerCore(
            loop: loop, ioLoops: ioLoops, configuration: configuration, advertised: advertised, logger: logger, state: state,
            writer: writer, syncLog: syncLog,
            storagePool: pools[0], readerPool: pools[1], checkpointPool: pools[2])
        for group in state.groups.keys { core.scheduleGroupTimer(for: group) }
        return core
    }

    private static func listen(
        _ configuration: BrokerConfiguration, _ ioGroup: MultiThreadedEventLoopGroup, _ ioLoops: [any EventLoop], _ submitter: Submitter,
        _ connections: ConnectionRegistry, _ budget: RequestBudget, _ logger: Logger
    ) async throws -> any Channel {
        try await ServerBootstrap(group: ioGroup)
            .serverChannelOption(.backlog, value: 512)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(.writeBufferWaterMark, value: .init(low: 64 << 10, high: 1 << 20))
            .childChannelOption(
                .recvAllocator, value: AdaptiveRecvByteBufferAllocator(minimum: 2 << 10, initial: 16 << 10, maximum: 256 << 10)
            )
            .childChannelInitializer { channel in
                guard let id = connections.add(channel) else {
                    logger.warning("too many connections", metadata: ["limit": "\(configuration.maxConnections)"])
                    return channel.close()
                }
                return channel.eventLoop.makeCompletedFuture {
                    let index = ioLoops.firstIndex { $0 === channel.eventLoop } ?? 0
                    let handler = ConnectionHandler(
                        id: id, loopIndex: index, maxRequestBytes: configuration.maxRequestBytes, budget: budget, logger: logger,
                        submit: { submitter.submit($0) },
                        closed: {
                            connections.remove($0)
                            submitter.closed($0)
                        })
                    try channel.pipeline.syncOperations.addHandler(handler)
                }
            }
            .bind(host: configuration.listenHost, port: configuration.listenPort).get()
    }

    /// Returns when the broker has stopped.
    public func run() async throws {
        try await stopped.futureResult.get()
    }

    /// Finishes what is under way, closes the connections, writes a checkpoint and lets go of the data directory. Safe to call again.
    public func stop() async {
        let first = stopping.withLock { stopping in
            defer { stopping = true }
            return !stopping
        }
        guard first else {
            try? await stopped.futureResult.get()
            return
        }
        try? await server.close().get()
        timers.forEach { $0.cancel() }
        let done = coreGroup.any().makePromise(of: Void.self)
        let core = self.core
        coreGroup.any().execute { core.value.stop(done) }
        do {
            try await done.futureResult.get()
        } catch {
            logger.error("the last checkpoint failed; the next start replays the journal", metadata: ["error": "\(error)"])
        }
        await connections.closeAll()
        try? await ioGroup.shutdownGracefully()
        for pool in pools { try? await pool.shutdownGracefully() }
        flock(lock.descriptor, LOCK_UN)
        try? await coreGroup.shutdownGracefully()
        stopped.succeed()
        logger.notice("the broker stopped")
    }
}

/// Hands requests to the core's thread; before the core is there they wait for it.
private final class Submitter: Sendable {
    private let loop: any EventLoop
    private let ready: EventLoopPromise<NIOLoopBound<BrokerCore>>

    init(loop: any EventLoop) {
        self.loop = loop
        self.ready = loop.makePromise()
    }

    func open(_ core: NIOLoopBound<BrokerCore>) { ready.succeed(core) }

    func submit(_ requests: [Request]) {
        ready.futureResult.whenSuccess { $0.value.handle(requests) }
    }

    func closed(_ id: Int) {
        ready.futureResult.whenSuccess { $0.value.connectionClosed(id) }
    }
}

/// The open connections, counted and closable.
private final class ConnectionRegistry: Sendable {
    private struct Contents {
        var channels: [Int: any Channel] = [:]
        var next = 0
    }

    private let contents = Mutex(Contents())
    private let limit: Int

    init(limit: Int) { self.limit = limit }

    func add(_ channel: any Channel) -> Int? {
        contents.withLock { contents in
            guard contents.channels.count < limit else { return nil }
            contents.next += 1
            contents.channels[contents.next] = channel
            return contents.next
        }
    }

    func remove(_ id: Int) { contents.withLock { contents in contents.channels[id] = nil } }

    func closeAll() async {
        for channel in contents.withLock({ Array($0.channels.values) }) { try? await channel.close().get() }
    }
}
