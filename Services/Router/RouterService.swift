import Bus
import Database
import Logging
import Message
import Routing
public import ServiceKit
public import ServiceLifecycle
import Store

/// Reads what was accepted, was scheduled and is due now, or was refused by a provider and is to try another; finds each message's
/// connector, and passes it to billing, or to the clients of an account; or ends it, with the reason.
public enum RouterService {
    public static func build(_ context: ServiceContext) async throws -> [any Service] {
        let logger = context.environment.logger
        let monitor = ConnectorMonitor(context)
        // Read and built on the database's thread; the stage takes the new one with its next batch.
        let setup = try await Snapshot(
            "routes", context, load: { try RoutingStore.load($0) },
            onChange: { setup in
                monitor.watch(setup.watched)
                for problem in setup.problems { logger.warning("not used for routing", metadata: ["reason": "\(problem)"]) }
            })
        monitor.watch(setup.value.watched)
        let ids = SharedMessageIDs(try await context.messageIDs())
        let url = context.environment.databaseURL
        let instance = context.environment.instance
        let stage = StageService(
            context.environment, health: context.health, name: "router", topics: [Topics.accepted, Topics.due],
            makeTransform: {
                RouterTransform(
                    plan: { setup.value.plan }, live: { monitor.state }, ids: ids,
                    connect: { try Connection(url: url, applicationName: instance, silenceMilliseconds: stagePatience, plans: .byIndex) })
            })
        return [setup, monitor.queues, monitor, stage]
    }
}
