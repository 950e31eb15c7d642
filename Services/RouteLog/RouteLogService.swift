import Bus
import Database
import Foundation
import Logging
public import ServiceKit
public import ServiceLifecycle
import Store
import Synchronization

/// Folds everything that is known of each message into the log tables.
public enum RouteLogService {
    /// How long a batch is gathered: what happens to a message within it becomes one write instead of three.
    private static let gatherMilliseconds: Int32 = 200

    public static func build(_ context: ServiceContext) async throws -> [any Service] {
        let url = context.environment.databaseURL
        let instance = context.environment.instance
        let keys = try bodyKeys()
        let notice = KeyNotice(isNeeded: keys == nil, health: context.health, logger: context.environment.logger)
        let stage = StageService(
            context.environment, health: context.health, name: "routelog", topics: [Topics.accepted, Topics.submitted, Topics.events],
            configure: { settings in
                settings.lingerMilliseconds = gatherMilliseconds
                settings.maxBatch = 5_000
            },
            makeTransform: {
                RouteLogTransform(
                    connect: { try Connection(url: url, applicationName: instance, silenceMilliseconds: stagePatience) }, keys: keys,
                    onPolicy: { notice.heard($0) })
            })
        return [LogUpkeep(context), stage]
    }

    /// - Throws: where a file is named that cannot be used: texts that are to be kept would be lost.
    private static func bodyKeys() throws -> BodyKeys? {
        guard let path = ProcessInfo.processInfo.environment[BodyKeys.variable], !path.isEmpty else { return nil }
        do { return try BodyKeys.load(path: path) } catch { throw ServiceError("\(error)") }
    }
}

/// Tells the operator, once in the log and all the while in the health detail, that texts are left out for want of a key.
private final class KeyNotice: Sendable {
    private let isNeeded: Bool
    private let health: Health
    private let logger: Logger
    private let isTold = Mutex(false)

    /// - Parameter isNeeded: there is no key.
    init(isNeeded: Bool, health: Health, logger: Logger) {
        self.isNeeded = isNeeded
        self.health = health
        self.logger = logger
    }

    func heard(_ policy: LogPolicy) {
        let count = isNeeded ? policy.encryptedAccounts : 0
        let text =
            "texts of \(count) \(count == 1 ? "account" : "accounts") are left out: they are to be encrypted, and \(BodyKeys.variable) names no key"
        health.note("message log", count == 0 ? nil : text)
        guard count > 0 else { return }
        let isNews = isTold.withLock { told in
            defer { told = true }
            return !told
        }
        if isNews {
            logger.warning(
                "message texts are left out: they are to be encrypted, and no key is configured",
                metadata: ["accounts": "\(count)", "variable": "\(BodyKeys.variable)"])
        }
    }
}
