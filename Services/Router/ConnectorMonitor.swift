import Database
import Logging
import Routing
import ServiceKit
import ServiceLifecycle
import Store
import Synchronization

/// Looks once a second which providers are connected, so that routes pass over those that are not, as they do those whose queue is full.
///
/// A connector counts as down when two looks in a row found no session of it: a reconnect is no reason to send elsewhere.
final class ConnectorMonitor: Service {
    private struct State {
        var watched: [RoutingSetup.Watched] = []
        var down: Set<String> = []
    }

    private final class Shared: Sendable {
        let state = Mutex(State())
    }

    private static let interval = Duration.seconds(1)

    private let shared: Shared
    private let database: Database
    /// A service of its own.
    let queues: QueueWatch
    private let logger: Logger

    init(_ context: ServiceContext) {
        let shared = Shared()
        self.shared = shared
        database = context.database
        queues = QueueWatch(context.environment, limits: { QueueWatch.Limits(shared.state.withLock { $0.watched }) })
        logger = context.environment.logger
    }

    func watch(_ connectors: [RoutingSetup.Watched]) { shared.state.withLock { $0.watched = connectors } }

    var state: LiveState { LiveState(down: shared.state.withLock { $0.down }, full: queues.finding.full) }

    func run() async throws {
        await cancelWhenGracefulShutdown { [self] in
            var missing: Set<String> = []
            while !Task.isCancelled {
                try? await Task.sleep(for: Self.interval)
                let watched = shared.state.withLock { $0.watched }
                do {
                    let connected = try await database.run { try RoutingStore.connected($0) }
                    let away = Set(watched.filter { $0.needsSession && !connected.contains($0.name) }.map(\.name))
                    publish(away.intersection(missing))
                    missing = away
                } catch is CancellationError {
                    return
                } catch {
                    // What was known last goes on counting.
                    logger.warning("connectors not looked at", metadata: ["error": "\(error)"])
                }
            }
        }
    }

    private func publish(_ down: Set<String>) {
        let before = shared.state.withLock { state in
            defer { state.down = down }
            return state.down
        }
        guard before != down else { return }
        logger.notice("routes pass over", metadata: ["not_connected": "\(down.sorted().joined(separator: " "))"])
    }
}

extension QueueWatch.Limits {
    fileprivate init(_ watched: [RoutingSetup.Watched]) {
        self.init(
            queues: watched.map { Queue(name: $0.name, group: $0.consumerGroup, limit: $0.maxQueueSize.map { Int64($0) }) })
    }
}
