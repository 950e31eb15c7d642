import Bus
import Database
import Message
import Pricing
import Routing
import ServiceKit
import Testing

@testable import Billing

@Suite(.serialized) struct `Billing on a real database` {
    static func money(_ text: String) -> Money { (try? Money(parsing: text)) ?? .zero }

    static let prices = PriceTable([
        Price(id: 1, scope: PriceScope(prefix: "46"), charge: money("0.05"), cost: money("0.03"), currency: "EUR"),
        Price(id: 2, scope: PriceScope(prefix: "47"), charge: .zero, cost: nil, currency: "EUR"),
    ])

    static func balance(_ connection: Connection, _ account: String = "demo") throws -> Money {
        try connection.query("SELECT charge_balance FROM emguser WHERE username = $1", [.text(account)])[0].money(0)
    }

    @Test func `charges, refuses, replays and refunds to the last digit`() async throws {
        let (url, connection) = try StageFixtures.database()
        _ = try connection.execute("INSERT INTO emguser (username, charge_balance) VALUES ('demo', 0.15)")
        _ = try connection.execute(
            "INSERT INTO emguser (username, charge_balance, allowpostpaid, charge_balance_postpaid_limit) VALUES ('post', 0, 1, -0.1)")
        _ = try connection.execute("INSERT INTO emguser (username, creditssend, creditssenddec) VALUES ('credits', 1, 500000)")
        let transform = BillingTransform(
            tables: { BillingTables(prices: Self.prices, providers: ["out"], clients: ["in"]) }, ids: SharedMessageIDs(MessageIDs(slot: 0)),
            connect: { try Connection(url: url, applicationName: "billing") })

        // Exactly the price is enough; one part more is not; what is free goes also then.
        let batch = [
            StageFixtures.record(Topics.routed, 0, StageFixtures.message(1)),
            StageFixtures.record(Topics.routed, 1, StageFixtures.message(2, parts: 2)),
            StageFixtures.record(Topics.routed, 2, StageFixtures.message(3)),
            StageFixtures.record(Topics.routed, 3, StageFixtures.message(4, to: "47")),
            StageFixtures.record(Topics.routed, 4, StageFixtures.message(5, to: "99")),
            StageFixtures.record(Topics.routed, 5, StageFixtures.message(6, account: "nobody")),
        ]
        let first = try transform.process(batch)
        #expect(try Self.balance(connection) == .zero)
        let queued = try StageFixtures.records(ShortMessage.self, of: first, to: Topics.queue("out"))
        #expect(queued.map(\.msgid) == [1, 2, 4])
        #expect(queued.map(\.charge.chargeMicros) == [50_000, 100_000, 0])
        #expect(queued.map(\.charge.costMicros) == [30_000, 60_000, 0])
        #expect(queued[0].charge.chargePriceID == 1 && queued[0].charge.costPriceID == 1)
        let ended = try StageFixtures.records(Event.self, of: first, to: Topics.events).filter { !$0.hasMessage }
        #expect(ended.map(\.msgid) == [3, 5, 6])
        #expect(ended.allSatisfy { $0.status == .rejected && !$0.reasonText.isEmpty })
        #expect(first.records.filter { $0.topic == Topics.queue("in") }.count == 3, "each refusal is reported")

        // The same batch again: nothing moves, the same goes on.
        let again = try transform.process(batch)
        #expect(try Self.balance(connection) == .zero)
        #expect(
            try StageFixtures.records(ShortMessage.self, of: again, to: Topics.queue("out")).map(\.charge.chargeMicros) == [
                50_000, 100_000, 0,
            ])

        // A refused submission is refunded, once.
        var refused = Submission()
        refused.message = queued[1]
        refused.status = .rejected
        for offset in Int64(0)..<2 {
            let output = try transform.process([StageFixtures.record(Topics.submitted, offset, refused)])
            #expect(try StageFixtures.records(Event.self, of: output, to: Topics.events).map(\.msgid) == [2])
            #expect(try Self.balance(connection) == Self.money("0.1"))
        }
        // The ledger explains the balance.
        #expect(try connection.query("SELECT sum(amount) FROM ledger WHERE username = 'demo'")[0].money(0) == Self.money("-0.05"))

        // Postpaid: down to the limit and no further.
        let postpaid = try transform.process(
            (0..<3).map { StageFixtures.record(Topics.routed, 10 + $0, StageFixtures.message(20 + $0, account: "post")) })
        #expect(try StageFixtures.records(ShortMessage.self, of: postpaid, to: Topics.queue("out")).map(\.msgid) == [20, 21])
        #expect(try Self.balance(connection, "post") == Self.money("-0.1"))

        // Credits: one a part, borrowing across the decimal part.
        let credits = try transform.process(
            (0..<2).map { StageFixtures.record(Topics.routed, 20 + $0, StageFixtures.message(30 + $0, account: "credits")) })
        #expect(try StageFixtures.records(ShortMessage.self, of: credits, to: Topics.queue("out")).map(\.msgid) == [30])
        let row = try connection.query("SELECT creditssend, creditssenddec FROM emguser WHERE username = 'credits'")[0]
        #expect(try row.int(0) == 0)
        #expect(try row.int(1) == 500_000)
    }

    @Test func `what is urgent has a lane of its own, but not where the connector has none`() throws {
        let (url, connection) = try StageFixtures.database()
        _ = try connection.execute("INSERT INTO emguser (username, charge_balance) VALUES ('demo', 10)")
        var tables = BillingTables(prices: Self.prices)
        tables.withoutPriority = ["plain"]
        let transform = BillingTransform(
            tables: { [tables] in tables }, ids: SharedMessageIDs(MessageIDs(slot: 0)),
            connect: { try Connection(url: url, applicationName: "billing") })
        let batch = [("out", UInt32(0)), ("out", 1), ("out", 2), ("out", 3), ("plain", 0), ("plain", 3)].enumerated().map {
            place, message in
            var urgent = StageFixtures.message(Int64(place) + 1)
            urgent.outConnector = message.0
            urgent.priority = message.1
            return StageFixtures.record(Topics.routed, Int64(place), urgent)
        }
        #expect(
            try transform.process(batch).records.filter { $0.topic.hasPrefix("sms.queue") }.map(\.topic) == [
                Topics.queue("out"), Topics.queue("out"), Topics.priorityQueue("out"), Topics.priorityQueue("out"),
                Topics.queue("plain"), Topics.queue("plain"),
            ])
    }

    @Test func `a message that only a price in another currency fits is refused, and its price is named`() throws {
        let (url, connection) = try StageFixtures.database()
        _ = try connection.execute("INSERT INTO emguser (username, charge_balance, currency) VALUES ('crown', 10, 'SEK')")
        _ = try connection.execute("INSERT INTO emguser (username, creditssend) VALUES ('credits', 9)")
        var seen: [String] = []
        let transform = BillingTransform(
            tables: { BillingTables(prices: Self.prices) }, ids: SharedMessageIDs(MessageIDs(slot: 0)),
            connect: { try Connection(url: url, applicationName: "billing") }, passedOver: { seen.append("\($0) \($1) \($2)") })
        let output = try transform.process([
            StageFixtures.record(Topics.routed, 0, StageFixtures.message(1, account: "crown")),
            StageFixtures.record(Topics.routed, 1, StageFixtures.message(2, account: "credits")),
        ])
        let ended = try StageFixtures.records(Event.self, of: output, to: Topics.events).filter { $0.status == .rejected }
        #expect(ended.map(\.msgid) == [1] && ended.map(\.reasonText) == ["no price for this destination in SEK"])
        #expect(seen == ["1 crown SEK"])
    }
}
