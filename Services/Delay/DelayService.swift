import Bus
import Database
public import ServiceKit
public import ServiceLifecycle
import Store

/// Holds what is to happen later: scheduled messages, and retries.
public enum DelayService {
    /// Records of one partition that are held in memory; the rest waits in the topic.
    private static let heldRecords = 500
    private static let prefetchedBytes = 2 << 20

    public static func build(_ context: ServiceContext) async throws -> [any Service] {
        let ids = SharedMessageIDs(try await context.messageIDs())
        let url = context.environment.databaseURL
        let name = "\(context.environment.instance)/orders"
        // One stage serves all tiers: each partition waits for itself.
        let stage = StageService(
            context.environment, health: context.health, name: "delay", topics: DelayTier.allCases.map(\.topic),
            configure: {
                $0.maxBatch = DelayService.heldRecords
                $0.consumer.maxPrefetchedBytes = DelayService.prefetchedBytes
            },
            makeTransform: {
                let book = OrderBook(url: url, name: name)
                return DelayTransform(
                    orders: { try book.orders(for: $0) }, reportID: { ids.next(now: wallClockMilliseconds()) })
            })
        return [stage]
    }
}

/// Reads what the senders of scheduled messages ordered. For the stage's thread; connects when it is first asked.
private final class OrderBook {
    private let url: String
    private let name: String
    private var connection: Connection?

    init(url: String, name: String) {
        self.url = url
        self.name = name
    }

    /// - Throws: `DatabaseError`; the stage tries again while the database is away.
    func orders(for ids: [Int64]) throws -> [Int64: MessageOrder] {
        do {
            let usable: Connection
            if let connection {
                usable = connection
            } else {
                usable = try Connection(
                    url: url, applicationName: name, statementTimeoutMilliseconds: 30_000, silenceMilliseconds: 35_000, plans: .byIndex)
            }
            connection = usable
            return try MessageOrderStore.orders(usable, for: ids)
        } catch {
            connection = nil
            throw error
        }
    }
}
