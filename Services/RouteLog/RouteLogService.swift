import Bus
import Database
import Message
public import ServiceKit
public import ServiceLifecycle

/// Folds everything that is known of each message into the log tables.
public enum RouteLogService {
    /// How long a batch is gathered: what happens to a message within it becomes one write instead of three.
    private static let gatherMilliseconds: Int32 = 200

    public static func build(_ context: ServiceContext) async throws -> [any Service] {
        let url = context.environment.databaseURL
        let instance = context.environment.instance
        let stage = StageService(
            context.environment, health: context.health, name: "routelog", topics: [Topics.accepted, Topics.submitted, Topics.events],
            configure: { settings in
                settings.lingerMilliseconds = gatherMilliseconds
                settings.maxBatch = 5_000
            },
            makeTransform: { RouteLogTransform(connect: { try Connection(url: url, applicationName: instance) }) })
        return [stage]
    }
}
