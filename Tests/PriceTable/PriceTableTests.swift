import Pricing
import Routing
import Testing

@Suite struct `A price table` {
    static func money(_ text: String) -> Money { (try? Money(parsing: text)) ?? .zero }

    static let table = PriceTable([
        Price(id: 1, scope: PriceScope(), charge: money("0.05"), cost: nil, currency: "EUR"),
        Price(id: 2, scope: PriceScope(outConnector: "a"), charge: nil, cost: money("0.03"), currency: "EUR"),
        Price(id: 3, scope: PriceScope(prefix: "46"), charge: money("0.035"), cost: money("0.02"), currency: "EUR"),
        Price(id: 4, scope: PriceScope(prefix: "46", account: "acme"), charge: money("0.01"), cost: nil, currency: "SEK"),
        Price(id: 5, scope: PriceScope(prefix: "47"), charge: money("1"), cost: nil, currency: "EUR", validFrom: 100, validUntil: 200),
        Price(id: 6, scope: PriceScope(prefix: "47"), charge: money("2"), cost: nil, currency: "EUR", validFrom: 150),
    ])

    @Test(
        arguments: [
            ("the empty prefix", "331", "x", "b", 0, "0.05", 1, "0", nil),
            ("the cost comes from its own row", "331", "x", "a", 0, "0.05", 1, "0.03", 2),
            ("the longer prefix for the charge, the connector's row for the cost", "461", "x", "a", 0, "0.035", 3, "0.03", 2),
            ("the account's own price", "461", "acme", "b", 0, "0.01", 4, "0.02", 3),
            ("not yet valid", "471", "x", "b", 99, "0.05", 1, "0", nil),
            ("valid", "471", "x", "b", 100, "1", 5, "0", nil),
            ("the newer of two valid ones", "471", "x", "b", 150, "2", 6, "0", nil),
        ] as [(String, String, String, String, Int64, String, Int64, String, Int64?)])
    func quotes(
        name: String, destination: String, account: String, out: String, now: Int64, charge: String, chargeRow: Int64, cost: String,
        costRow: Int64?
    ) throws {
        let quote = try #require(
            `A price table`.table.quote(destination: destination, account: account, inConnector: "in", outConnector: out, now: now))
        #expect(quote.charge == `A price table`.money(charge), "\(name)")
        #expect(quote.chargePriceID == chargeRow, "\(name)")
        #expect(quote.cost == `A price table`.money(cost), "\(name)")
        #expect(quote.costPriceID == costRow, "\(name)")
    }

    @Test func `has no price where no row has a charge`() {
        let table = PriceTable([Price(id: 1, scope: PriceScope(prefix: "46"), charge: nil, cost: .zero, currency: "EUR")])
        #expect(table.quote(destination: "461", account: "x", inConnector: "i", outConnector: "o", now: 0) == nil)
    }
}
