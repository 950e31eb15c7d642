import Bus
import Configuration
import Database
import Message
package import Pricing
public import ServiceKit
public import ServiceLifecycle
import Store

/// Prices what was routed, books it, and queues it for its connector; gives back, by the account's policy, what did not come about.
public enum BillingService {
    public static func build(_ context: ServiceContext) async throws -> [any Service] {
        let tables = try await Snapshot("prices", context) { connection in try BillingTables(connection) }
        let ids = SharedMessageIDs(try await context.messageIDs())
        let url = context.environment.databaseURL
        let instance = context.environment.instance
        let stage = StageService(
            context.environment, health: context.health, name: "billing", topics: [Topics.routed, Topics.submitted, Topics.refunds],
            makeTransform: {
                // The stage's thread has a connection of its own; it is made anew with the transform after a failure.
                BillingTransform(
                    tables: { tables.value }, ids: ids,
                    connect: { try Connection(url: url, applicationName: instance, silenceMilliseconds: stagePatience, plans: .byIndex) })
            })
        return [tables, stage]
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
        prices = try PriceStore.table(connection)
        providers = Set(connectors.filter { $0.direction == .outgoing }.map(\.name))
        clients = Set(connectors.filter { $0.direction == .incoming }.map(\.name))
        withoutPriority = Set(connectors.filter { !$0.smpp.usesPriority }.map(\.name))
        let disabled = try ConnectorStore.general(connection, "DISABLE_CREDITS")
        ignoresCredits = disabled.map { !["0", "no", "false", "off"].contains($0.lowercased()) } ?? false
    }
}
