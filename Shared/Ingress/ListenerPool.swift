package import Configuration
package import Database
import Logging
package import ServiceKit
import ServiceLifecycle
import Store

/// Keeps a listener for each incoming connector that is configured, and follows changes: one that changed is stopped in order and
/// started anew.
package final class ListenerPool<Listener: Sendable>: Service {
    private let context: ServiceContext
    private let start: @Sendable (ConnectorConfiguration) async throws -> Listener
    private let stop: @Sendable (Listener) async -> Void
    private let onEnd: @Sendable () -> Void
    private let wishes: AsyncStream<[ConnectorConfiguration]>
    private let wish: AsyncStream<[ConnectorConfiguration]>.Continuation

    /// - Parameters:
    ///   - start: listens for a connector; what it throws is told as the connector's health, and it is tried again after a second.
    ///   - stop: ends one in order.
    ///   - onEnd: called when all have stopped, at the end of the service.
    package init(
        _ context: ServiceContext, start: @escaping @Sendable (ConnectorConfiguration) async throws -> Listener,
        stop: @escaping @Sendable (Listener) async -> Void, onEnd: @escaping @Sendable () -> Void
    ) {
        self.context = context
        self.start = start
        self.stop = stop
        self.onEnd = onEnd
        (wishes, wish) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        context.health.set("connectors", .starting)
    }

    /// Called at the beginning, and for each change.
    package func wanted(_ connectors: [ConnectorConfiguration]) { wish.yield(connectors) }

    package func run() async throws {
        var running: [String: (configuration: ConnectorConfiguration, listener: Listener)] = [:]
        let (wish, logger) = (wish, context.environment.logger)
        await withGracefulShutdownHandler {
            for await wanted in wishes {
                let names = Dictionary(wanted.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
                for (name, one) in running where names[name] != one.configuration {
                    logger.info("connector stops", metadata: ["connector": "\(name)"])
                    await end(name, one.listener)
                    running[name] = nil
                }
                var failed = false
                for (name, configuration) in names where running[name] == nil {
                    do {
                        running[name] = (configuration, try await start(configuration))
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
        for (name, one) in running { await end(name, one.listener) }
        onEnd()
    }

    private func end(_ name: String, _ listener: Listener) async {
        await stop(listener)
        context.health.remove("connector \(name)")
    }
}

extension ConnectorStore {
    /// The incoming connectors of one protocol, as the operator has them now.
    package static func incoming(_ connection: Connection, protocol name: String) throws -> [ConnectorConfiguration] {
        try load(connection).connectors.filter { $0.direction == .incoming && $0.protocolName == name && !$0.isDisabled }
    }
}
