public import Logging
import NIOCore
import NIOPosix

/// An operator's SMSC for tests and demos: it accepts binds, answers submits and returns delivery receipts.
///
/// All of it runs on one thread of its own. A receipt goes to any bound receiver or transceiver of the system_id that
/// submitted the message; it waits until there is one, and goes out again when its answer does not come.
public final class SMSCSimulator: Sendable {
    /// The port it listens on.
    public let boundPort: Int

    private let group: MultiThreadedEventLoopGroup
    private let listener: any Channel
    private let core: NIOLoopBoundBox<Core>

    private init(boundPort: Int, group: MultiThreadedEventLoopGroup, listener: any Channel, core: NIOLoopBoundBox<Core>) {
        self.boundPort = boundPort
        self.group = group
        self.listener = listener
        self.core = core
    }

    /// Starts to listen.
    /// - Throws: when the journal cannot be opened or the address cannot be bound.
    public static func start(_ configuration: SMSCConfiguration, logger: Logger) async throws -> SMSCSimulator {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        do {
            let eventLoop = group.next()
            let core = try await eventLoop.submit {
                NIOLoopBoundBox(try Core(configuration: configuration, eventLoop: eventLoop, logger: logger), eventLoop: eventLoop)
            }.get()
            let listener = try await ServerBootstrap(group: eventLoop)
                .serverChannelOption(.backlog, value: 1024)
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .childChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
                .childChannelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(SessionHandler(core: core.value))
                    }
                }
                .bind(host: configuration.host, port: configuration.port).get()
            if let outbind = configuration.outbind { Self.sayOutbind(to: outbind, eventLoop: eventLoop, core: core) }
            return SMSCSimulator(boundPort: listener.localAddress?.port ?? configuration.port, group: group, listener: listener, core: core)
        } catch {
            try? await group.shutdownGracefully()
            throw error
        }
    }

    /// Connects, again until it succeeds, and asks the peer to bind.
    private static func sayOutbind(to peer: (host: String, port: Int), eventLoop: any EventLoop, core: NIOLoopBoundBox<Core>) {
        ClientBootstrap(group: eventLoop)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(SessionHandler(core: core.value, saysOutbind: true))
                }
            }
            .connect(host: peer.host, port: peer.port)
            .whenFailure { _ in
                guard !core.value.isStopping else { return }
                eventLoop.scheduleTask(in: .milliseconds(300)) { Self.sayOutbind(to: peer, eventLoop: eventLoop, core: core) }
            }
    }

    /// Serves until ``stop()`` is called.
    public func run() async throws { try await self.listener.closeFuture.get() }

    /// Unbinds every session, waits for their end (at most the sessions' unbind timeout) and lets go of the port.
    public func stop() async {
        try? await self.listener.close()
        let channels = try? await self.listener.eventLoop.submit { self.core.value.stop() }.get()
        for channel in channels ?? [] { try? await channel.closeFuture.get() }
        try? await self.group.shutdownGracefully()
    }

    /// Cuts every connection without an unbind, as a crash would.
    public func disconnectAll() async { try? await self.listener.eventLoop.submit { self.core.value.disconnectAll() }.get() }

    public func statistics() async -> SMSCStatistics {
        (try? await self.listener.eventLoop.submit { self.core.value.statistics }.get()) ?? SMSCStatistics()
    }
}
