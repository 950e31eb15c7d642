import Bus
public import Foundation
import Logging

/// Makes the topics that are missing. Every service does so when it starts, so that none depends on who starts first.
public enum TopicSetup {
    /// `SIGNALBOX_PARTITIONS` (default 4), `SIGNALBOX_REPLICATION` (default 1; 3 on a cluster) and `SIGNALBOX_RETENTION_HOURS`
    /// (default 168), from `variables`: they count when a topic is made.
    public static func layout(_ variables: [String: String] = ProcessInfo.processInfo.environment) -> Topics.Layout {
        func number(_ name: String, _ range: ClosedRange<Int>, default value: Int) -> Int {
            min(range.upperBound, max(range.lowerBound, variables[name].flatMap { Int($0) } ?? value))
        }
        var layout = Topics.Layout()
        layout.partitions = number("SIGNALBOX_PARTITIONS", 1...1_000, default: layout.partitions)
        layout.replication = number("SIGNALBOX_REPLICATION", 1...10, default: layout.replication)
        layout.retentionHours = number("SIGNALBOX_RETENTION_HOURS", 1...87_600, default: layout.retentionHours)
        return layout
    }

    /// The fixed topics, the queues of `connectors`, and the instance's mailboxes for `mailboxes`. Tries for as long as the broker is away, until the task is cancelled.
    public static func ensure(
        _ environment: ServiceEnvironment, connectors: [String], mailboxes: [String] = []
    ) async throws {
        let layout = layout()
        let wanted =
            Topics.fixed(layout) + connectors.flatMap { Topics.queues(of: $0, layout) }
            + mailboxes.flatMap { Topics.mailboxes(of: $0, instance: environment.instance, layout) }
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
