import Bus
import Configuration
import Database
public import ServiceKit
public import ServiceLifecycle
import Store

/// Joins what was submitted with what the providers report, and tells the client.
public enum DLRMatcherService {
    public static func build(_ context: ServiceContext) async throws -> [any Service] {
        let ids = SharedMessageIDs(try await context.messageIDs())
        let url = context.environment.databaseURL
        let instance = context.environment.instance
        let rules = try await Snapshot("connectors", context) { connection in
            let orphanTime = try ConnectorStore.general(connection, "ORPHANTIME").flatMap { Int($0) }
            return ReportRules(
                try ConnectorStore.load(connection).connectors, orphanSeconds: orphanTime ?? MoneyOptions.defaultOrphanSeconds)
        }
        let stage = StageService(
            context.environment, health: context.health, name: "dlr-matcher", topics: [Topics.submitted, Topics.receipts],
            configure: { settings in
                // A submission and its receipt have the same key: the same partition of both topics goes to the same instance.
                settings.consumer.assignor = .range
                // A receipt that is read before its submission has to be kept in a table until that comes.
                settings.alignment = (leader: Topics.submitted, follower: Topics.receipts)
            },
            makeTransform: {
                MatcherTransform(
                    rules: { rules.value }, ids: ids,
                    connect: { try Connection(url: url, applicationName: instance, silenceMilliseconds: stagePatience, plans: .byIndex) })
            })
        return [rules, stage]
    }
}
