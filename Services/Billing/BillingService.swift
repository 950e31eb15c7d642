import Bus
import Database
import Message
import Pricing
import Routing
public import ServiceKit
public import ServiceLifecycle

/// Prices what was routed, books it, and queues it for its connector; takes back what a provider refused.
public enum BillingService {
    public static func build(_ context: ServiceContext) async throws -> [any Service] {
        let prices = try await Snapshot("prices", context) { connection in try loadPriceTable(connection) }
        let ids = SharedMessageIDs(try await context.messageIDs())
        let url = context.environment.databaseURL
        let instance = context.environment.instance
        let stage = StageService(
            context.environment, health: context.health, name: "billing", topics: [Topics.routed, Topics.submitted],
            makeTransform: {
                // The stage's thread has a connection of its own; it is made anew with the transform after a failure.
                BillingTransform(prices: { prices.value }, ids: ids, connect: { try Connection(url: url, applicationName: instance) })
            })
        return [prices, stage]
    }
}

func loadPriceTable(_ connection: Connection) throws -> PriceTable {
    let rows = try connection.query(
        """
        SELECT priceid, prefix, account, in_connector, out_connector, charge, charge_cost, currency,
               (extract(epoch FROM valid_from) * 1000)::bigint AS valid_from_ms,
               (extract(epoch FROM valid_until) * 1000)::bigint AS valid_until_ms
        FROM price WHERE NOT disabled
        """)
    return PriceTable(
        try rows.map { row in
            Price(
                id: try row.int("priceid"),
                scope: PriceScope(
                    prefix: try row.text("prefix"), account: try row.optionalText("account"),
                    inConnector: try row.optionalText("in_connector"),
                    outConnector: try row.optionalText("out_connector")),
                charge: try row.optionalMoney("charge"), cost: try row.optionalMoney("charge_cost"), currency: try row.text("currency"),
                validFrom: try row.optionalInt("valid_from_ms"), validUntil: try row.optionalInt("valid_until_ms"))
        })
}
