import Database
import Logging
import ServiceKit
import ServiceLifecycle
import Store

/// Keeps the summaries fresh and drops what retention says, beside the stage and on a connection of its own.
///
/// Where there are several instances, one of them does it at a time (an advisory lock); the others find it done.
struct LogUpkeep: Service {
    private static let intervalMilliseconds: Int64 = 5_000
    private static let retentionMilliseconds: Int64 = 3_600_000
    private static let retryMilliseconds: Int64 = 60_000
    /// Summing up rests this many times as long as it took: it takes a twentieth of one connection at most.
    private static let rest: Int64 = 20
    /// Steps of a round; more wait for the next.
    private static let steps = 16

    private let database: Database
    private let logger: Logger

    init(_ context: ServiceContext) {
        // An hour of a busy log takes longer to sum up than a login may take.
        database = Database(
            url: context.environment.databaseURL, applicationName: "\(context.environment.instance)/upkeep",
            statementTimeoutMilliseconds: 600_000)
        logger = context.environment.logger
    }

    func run() async throws {
        await cancelWhenGracefulShutdown { [self] in
            var retention: (days: Int?, next: Int64) = (nil, 0)
            var notBefore: Int64 = 0
            while !Task.isCancelled {
                let began = monotonicMilliseconds()
                do {
                    try await refresh()
                    if began >= notBefore { retention = try await retain(retention, began) }
                } catch is CancellationError {
                    return
                } catch {
                    notBefore = began + Self.retryMilliseconds
                    logger.warning("summaries or retention of the message log wait", metadata: ["error": "\(error)"])
                }
                let pause = max(Self.intervalMilliseconds, (monotonicMilliseconds() - began) * Self.rest)
                try? await Task.sleep(for: .milliseconds(pause))
            }
        }
    }

    private func refresh() async throws {
        for _ in 0..<Self.steps {
            guard try await database.run({ try SummaryStore.refreshSome($0) }) else { return }
        }
    }

    /// At the start, once an hour, and when LOGRETENTION was changed.
    private func retain(_ last: (days: Int?, next: Int64), _ now: Int64) async throws -> (days: Int?, next: Int64) {
        let days = try await database.run { try LogRetention.days($0) }
        guard let days else { return (nil, 0) }
        guard days != last.days || now >= last.next else { return last }
        let dropped = try await database.run { try LogRetention.apply($0, days: days, now: wallClockMilliseconds()) }
        if !dropped.isEmpty {
            logger.notice(
                "days of the message log were dropped", metadata: ["partitions": "\(dropped.count)", "to": "\(dropped.last ?? "")"])
        }
        return (days, now + Self.retentionMilliseconds)
    }
}
