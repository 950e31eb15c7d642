import Bus
import Foundation
import Logging

/// Makes the topics that are missing. Every service does so when it starts, so that none depends on who starts first.
public enum TopicSetup {
    /// `SIGNALBOX_PARTITIONS` (default 4) and `SIGNALBOX_REPLICATION` (default 1; 3 on a cluster).
    static func counts(_ variables: [String: String] = ProcessInfo.processInfo.environment) -> (partitions: Int, replication: Int) {
        let partitions = variables["SIGNALBOX_PARTITIONS"].flatMap(Int.init) ?? 4
        let replication = variables["SIGNALBOX_REPLICATION"].flatMap(Int.init) ?? 1
        return (min(1_000, max(1, partitions)), min(10, max(1, replication)))
    }

    /// The fixed topics, and the queues of `connectors`. Tries for as long as the broker is away, until the task is cancelled.
    public static func ensure(_ environment: ServiceEnvironment, connectors: [String]) async throws {
        let (partitions, replication) = counts()
        let wanted =
            Topics.fixed(partitions: partitions, replication: replication)
            + connectors.flatMap { Topics.queues(of: $0, partitions: partitions, replication: replication) }
        while true {
            do {
                return try await onThread { try Admin(environment.bus).create(wanted) }
            } catch {
                environment.logger.warning("topics not made yet", metadata: ["error": "\(error)"])
                try await Task.sleep(for: .milliseconds(500))
            }
        }
    }

    /// Runs a blocking call on a thread of its own.
    private static func onThread<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            startThread("admin") { continuation.resume(with: Result(catching: body)) }
        }
    }
}
