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
            ("its own price is in another currency, and the list's counts", "461", "acme", "EUR", 3, 4),
            ("its own price is in its currency", "461", "acme", "SEK", 4, nil),
            ("somebody else's price", "461", "x", "EUR", 3, nil),
            ("nothing is in its currency", "331", "x", "SEK", nil, 1),
        ] as [(String, String, String, String, Int64?, Int64?)])
    func `says which charge in another currency it passed over`(
        name: String, destination: String, account: String, currency: String, found: Int64?, passedOver: Int64?
    ) {
        var foreign: Int64?
        let quote = Self.table.quote(
            destination: destination, account: account, inConnector: "i", outConnector: "b", currency: currency, now: 0,
            passedOver: { foreign = $0 })
        #expect(quote?.chargePriceID == found && foreign == passedOver)
        foreign = nil
        _ = Self.table.quote(
            destination: destination, account: account, inConnector: "i", outConnector: "b", needsCharge: false, now: 0,
            passedOver: { foreign = $0 })
        #expect(foreign == nil, "who pays by credits has no currency")
    }

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
