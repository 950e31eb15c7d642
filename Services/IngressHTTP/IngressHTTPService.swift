import Configuration
import Database
import Foundation
import Ingress
import Logging
public import ServiceKit
public import ServiceLifecycle
import Store

/// Takes messages from clients over HTTP, and brings them their reports.
public enum IngressHTTPService {
    public static func build(_ context: ServiceContext) async throws -> [any Service] {
        let environment = context.environment
        let registry = SessionRegistry(environment)
        let limits = try await Snapshot("queue limits", context) { try QueueMonitor.Limits.load($0) }
        let prices = try await Snapshot("prices", context, of: .prices) { try PriceStore.table($0) }
        let plan = try await Snapshot("routes", context) { try RoutingStore.load($0).plan }
        let webhooks = try await Snapshot("webhooks", context) { try WebhookStore.load($0) }
        let intake = try Intake(environment)
        let ids = SharedMessageIDs(try await context.messageIDs())
        let monitor = QueueMonitor(environment, limits: { limits.value })
        let shared = SharedParts(
            environment: environment, acceptance: Acceptance(intake),
            gatekeeper: Gatekeeper(
                Authenticator(environment, registry: registry), registry: registry, logger: environment.logger),
            desk: MessageDesk(environment, intake: intake, ids: ids), monitor: monitor, ids: ids, lookups: Lookups(environment),
            idempotency: Idempotency(environment), tariffs: { Tariffs(plan: plan.value, prices: prices.value) })
        let http = HTTPListeners(context: context, shared: shared, registry: registry, webhooks: { webhooks.value })
        let listeners = ListenerPool(
            context, start: { try await http.start($0) }, stop: { await http.stop($0) }, onEnd: { intake.close() })
        let connectors = try await Snapshot(
            "connectors", context, load: { try ConnectorStore.incoming($0, protocol: "HTTP") }, onChange: { listeners.wanted($0) })
        listeners.wanted(connectors.value)
        return [registry, limits, prices, plan, webhooks, monitor, Upkeep(shared), listeners, connectors]
    }
}

/// What is to be done now and then.
private struct Upkeep: Service {
    let shared: SharedParts

    init(_ shared: SharedParts) { self.shared = shared }

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                do {
                    try await shared.idempotency.removeOld()
                } catch {
                    shared.environment.logger.debug("upkeep not done", metadata: ["error": "\(error)"])
                }
                try? await Task.sleep(for: .seconds(600))
            }
        }
    }
}
