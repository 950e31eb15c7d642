import Bus
import Configuration
import Database
import Logging
import Message
package import Pricing
public import ServiceKit
public import ServiceLifecycle
import Store
import Synchronization

/// Prices what was routed, books it, and queues it for its connector; gives back, by the account's policy, what did not come about.
public enum BillingService {
    public static func build(_ context: ServiceContext) async throws -> [any Service] {
        let prices = try await Snapshot("prices", context, of: .prices) { connection in try PriceStore.table(connection) }
        let tables = try await Snapshot("billing rules", context) { connection in try BillingTables(connection) }
        let notice = PassedOverPrices(context.environment.logger)
        let ids = SharedMessageIDs(try await context.messageIDs())
        let url = context.environment.databaseURL
        let instance = context.environment.instance
        let stage = StageService(
            context.environment, health: context.health, name: "billing", topics: [Topics.routed, Topics.submitted, Topics.refunds],
            makeTransform: {
                // The stage's thread has a connection of its own; it is made anew with the transform after a failure.
                BillingTransform(
                    tables: {
                        var current = tables.value
                        current.prices = prices.value
                        return current
                    }, ids: ids,
                    connect: { try Connection(url: url, applicationName: instance, silenceMilliseconds: stagePatience, plans: .byIndex) },
                    passedOver: { notice.saw(price: $0, account: $1, currency: $2) })
            })
        return [prices, tables, stage]
    }
}

/// Says once of each price that its charge does not count for an account, for it is in another currency.
private final class PassedOverPrices: Sendable {
    /// Beyond it they are counted only: the log is no list of prices. `report reconcile` names them.
    private static let maxSaid = 1_000
    private static let metric = Counter(
        "signalbox_billing_prices_passed_over_total",
        help: "Times that an account's price was passed over, or a message refused, because the charge is in another currency.")

    private let said = Mutex<Set<Int64>>([])
    private let logger: Logger

    init(_ logger: Logger) { self.logger = logger }

    func saw(price: Int64, account: String, currency: String) {
        PassedOverPrices.metric.add()
        let isNew = said.withLock { $0.count < PassedOverPrices.maxSaid && $0.insert(price).inserted }
        guard isNew else { return }
        logger.warning(
            "a price does not count: its charge is not in the account's currency",
            metadata: ["price.id": "\(price)", "account": "\(account)", "account.currency": "\(currency)"])
    }
}

/// What billing looks up for each message; read again when it changes.
package struct BillingTables: Sendable {
    package var prices: PriceTable
    /// Connectors that we open: what comes in over them are messages from phones.
    package var providers: Set<String>
    /// Connectors that clients open: what goes out over them is ordered by account.
    package var clients: Set<String>
    /// Connectors without lanes (USEPRIORITY=0).
    package var withoutPriority: Set<String> = []

    /// DISABLE_CREDITS: accounts without `charge_balance` send for nothing.
    package var ignoresCredits: Bool

    package init(prices: PriceTable, providers: Set<String> = [], clients: Set<String> = [], ignoresCredits: Bool = false) {
        self.prices = prices
        self.ignoresCredits = ignoresCredits
        self.providers = providers
        self.clients = clients
    }

    init(_ connection: Connection) throws(DatabaseError) {
        let connectors = try ConnectorStore.load(connection).connectors
        // They are read apart, and only when they change.
        prices = PriceTable([])
        providers = Set(connectors.filter { $0.direction == .outgoing }.map(\.name))
        clients = Set(connectors.filter { $0.direction == .incoming }.map(\.name))
        withoutPriority = Set(connectors.filter { !$0.smpp.usesPriority }.map(\.name))
        let disabled = try ConnectorStore.general(connection, "DISABLE_CREDITS")
        ignoresCredits = disabled.map { !["0", "no", "false", "off"].contains($0.lowercased()) } ?? false
    }
}
