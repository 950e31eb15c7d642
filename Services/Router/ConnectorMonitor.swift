import Bus
import Database
import Logging
import Routing
import ServiceKit
import ServiceLifecycle
import Store
import Synchronization

/// Looks once a second which providers are connected and whose queue is full, so that routes pass them over.
///
/// A connector counts as down when two looks in a row found no session of it: a reconnect is no reason to send elsewhere.
final class ConnectorMonitor: Service {
    private struct State {
        var watched: [RoutingSetup.Watched] = []
        var live = LiveState()
    }

    private static let interval = Duration.seconds(1)
    /// Queue lengths cost the broker more than a look at the sessions: every so many looks.
    private static let looksPerLag = 2

    private let shared = Mutex(State())
    private let database: Database
    private let bus: BusConfiguration
    private let logger: Logger

    init(_ context: ServiceContext) {
        database = context.database
        bus = context.environment.bus
        logger = context.environment.logger
    }

    func watch(_ connectors: [RoutingSetup.Watched]) { shared.withLock { $0.watched = connectors } }

    var state: LiveState { shared.withLock { $0.live } }

    func run() async throws {
        await cancelWhenGracefulShutdown { [self] in
            var missing: Set<String> = []
            var full: Set<String> = []
            var looks = 0
            while !Task.isCancelled {
                try? await Task.sleep(for: Self.interval)
                let watched = shared.withLock { $0.watched }
                do {
                    let connected = try await database.run { try RoutingStore.connected($0) }
                    let away = Set(watched.filter { $0.needsSession && !connected.contains($0.name) }.map(\.name))
                    let down = away.intersection(missing)
                    missing = away
                    if looks.isMultiple(of: Self.looksPerLag) { full = try await fullQueues(watched) }
                    looks += 1
                    publish(LiveState(down: down, full: full))
                } catch is CancellationError {
                    return
                } catch {
                    // What was known last goes on counting.
                    logger.warning("connectors not looked at", metadata: ["error": "\(error)"])
                }
            }
        }
    }

    private func fullQueues(_ watched: [RoutingSetup.Watched]) async throws -> Set<String> {
        let bounded = watched.filter { $0.maxQueueSize != nil }
        guard !bounded.isEmpty else { return [] }
        let bus = bus
        let lags: [GroupTopic: Int64] = try await withCheckedThrowingContinuation { continuation in
            startThread("queue lengths") {
                continuation.resume(with: Result { try Admin(bus).lags(of: bounded.flatMap(Self.lanes)) })
            }
        }
        return Set(
            bounded.filter { connector in
                Self.lanes(connector).reduce(0) { $0 + (lags[$1] ?? 0) } >= Int64(connector.maxQueueSize ?? .max)
            }.map(\.name))
    }

    private static func lanes(_ connector: RoutingSetup.Watched) -> [GroupTopic] {
        [Topics.queue(connector.name), Topics.priorityQueue(connector.name)].map {
            GroupTopic(group: connector.consumerGroup, topic: $0)
        }
    }

    private func publish(_ live: LiveState) {
        let before = shared.withLock { state in
            defer { state.live = live }
            return state.live
        }
        guard before != live else { return }
        logger.notice(
            "routes pass over",
            metadata: [
                "not_connected": "\(live.down.sorted().joined(separator: " "))",
                "queue_full": "\(live.full.sorted().joined(separator: " "))",
            ])
    }
}
