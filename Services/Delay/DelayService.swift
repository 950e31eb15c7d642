import Bus
public import ServiceKit
public import ServiceLifecycle

/// Holds what is to happen later: scheduled messages, and retries.
public enum DelayService {
    /// Records of one partition that are held in memory; the rest waits in the topic.
    private static let heldRecords = 500
    private static let prefetchedBytes = 2 << 20

    public static func build(_ context: ServiceContext) async throws -> [any Service] {
        // One stage serves all tiers: each partition waits for itself.
        let stage = StageService(
            context.environment, health: context.health, name: "delay", topics: DelayTier.allCases.map(\.topic),
            configure: {
                $0.maxBatch = DelayService.heldRecords
                $0.consumer.maxPrefetchedBytes = DelayService.prefetchedBytes
            }, makeTransform: { DelayTransform() })
        return [stage]
    }
}
