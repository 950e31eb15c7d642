import Bus
import Database
import Foundation
import Message
import Pricing
import Routing
import ServiceKit
import Store
import Synchronization
import Testing

@testable import Billing

@Suite(.serialized) struct `Several billing instances, reservations and top-ups at once` {
    /// Threads that book what they like on three accounts, each message passed on as the gateway would: reserved, priced, replayed,
    /// refused, corrected, by whichever instance comes first.
    @Test func `keep every balance at or above its floor, and equal to its ledger`() async throws {
        let (url, connection) = try StageFixtures.database()
        for (name, balance, postpaid) in [("a", "0.5", 0), ("b", "1", 0), ("c", "0", 1)] {
            _ = try connection.execute(
                """
                INSERT INTO emguser (username, charge_balance, allowpostpaid, charge_balance_postpaid_limit)
                VALUES ($1, 0, $2, -0.7)
                """, [.text(name), .int(Int64(postpaid))])
            if balance != "0" {
                try LedgerStore.topUp(connection, username: name, amount: try Money(parsing: balance), by: "test")
            }
        }
        let prices = Mutex(Self.prices(1))
        let failures = Mutex<[String]>([])
        let done = DispatchGroup()
        for instance in 0..<3 {
            done.enter()
            startThread("desk \(instance)") {
                defer { done.leave() }
                do {
                    try Self.work(url, instance, prices)
                } catch {
                    failures.withLock { $0.append("\(error)") }
                }
            }
        }
        await withCheckedContinuation { continuation in done.notify(queue: .global()) { continuation.resume() } }
        #expect(failures.withLock { $0 } == [])
        let wrong = try connection.query(
            """
            SELECT u.username FROM emguser u WHERE u.charge_balance <> (SELECT sum(amount) FROM ledger l WHERE l.userid = u.userid)
            """)
        #expect(wrong.isEmpty)
        let below = try connection.query(
            """
            SELECT l.username, l.balance_after FROM ledger l JOIN emguser u USING (userid)
            WHERE l.balance_after < CASE WHEN u.allowpostpaid = 1 THEN u.charge_balance_postpaid_limit ELSE 0 END
            """)
        #expect(below.isEmpty)
        // No message was ever paid more than given back, nor given back more than paid.
        #expect(try connection.query("SELECT msgid FROM ledger WHERE kind <> 100 GROUP BY msgid HAVING sum(amount) > 0").isEmpty)
        #expect(try connection.query("SELECT msgid FROM ledger WHERE kind = 2 GROUP BY msgid HAVING count(*) > 1").isEmpty)
        #expect(try connection.query("SELECT count(*) FROM ledger WHERE kind = 1")[0].int(0) > 20, "something was charged")
    }

    private static func prices(_ seed: Int64) -> PriceTable {
        PriceTable([
            Price(
                id: seed, scope: PriceScope(), charge: Money(micros: seed % 7 * 5_000), cost: Money(micros: 1_000), currency: "EUR")
        ])
    }

    private static func work(_ url: String, _ instance: Int, _ prices: borrowing Mutex<PriceTable>) throws {
        var table = prices.withLock { $0 }
        let connection = try Connection(url: url, applicationName: "desk")
        let transform = BillingTransform(
            tables: { BillingTables(prices: table) }, ids: SharedMessageIDs(MessageIDs(slot: Int64(instance))),
            connect: { try Connection(url: url, applicationName: "desk") })
        var random = SystemRandomNumberGenerator()
        var offset: Int64 = 0
        for round in 0..<60 {
            table = Self.prices(Int64.random(in: 1...6, using: &random))
            // All instances draw from the same messages: each may be worked on by several at once.
            let ids = (0..<8).map { _ in Int64.random(in: 1...200, using: &random) }
            let account = { (id: Int64) in ["a", "b", "c"][Int(id % 3)] }
            _ = try? ReservationStore.reserve(
                connection,
                Set(ids.prefix(3).map { $0 + Int64(1_000 * (instance * 100 + round)) }).sorted().map {
                    ReservationStore.Request(msgid: $0 + 1_000, username: account($0), amount: Money(micros: 3_000))
                })
            var batch: [Record] = []
            for id in ids {
                var message = StageFixtures.message(id, account: account(id), parts: 2)
                offset += 1
                switch Int.random(in: 0..<6, using: &random) {
                case 0:
                    message.triedConnectors = ["x"]
                    batch.append(StageFixtures.record(Topics.routed, offset, message))
                case 1, 2, 3: batch.append(StageFixtures.record(Topics.routed, offset, message))
                case 4:
                    var submission = Submission()
                    message.charge.mechanism = 2
                    submission.message = message
                    submission.status = .rejected
                    batch.append(StageFixtures.record(Topics.submitted, offset, submission))
                default:
                    var submission = Submission()
                    message.charge.mechanism = 2
                    submission.message = message
                    submission.status = .submitted
                    submission.parts = 3
                    batch.append(StageFixtures.record(Topics.submitted, offset, submission))
                }
            }
            _ = try transform.process(batch)
            _ = try transform.process(batch)
            if round % 10 == 0 {
                try LedgerStore.topUp(connection, username: account(Int64(round / 10)), amount: Money(micros: 40_000), by: "test")
            }
        }
    }
}

@Suite(.serialized) struct `Reservations on a real database` {
    @Test func `what was reserved for a message that never came is given back, and only that`() async throws {
        let (url, connection) = try StageFixtures.database()
        _ = try connection.execute("INSERT INTO emguser (username, charge_balance) VALUES ('demo', 0), ('poor', 0.01), ('credits', NULL)")
        try LedgerStore.topUp(connection, username: "demo", amount: Money(micros: 1_000_000), by: "test")
        let now = wallClockMilliseconds()
        let old = MessageIDs.floor(at: now - 700_000)
        let young = MessageIDs.floor(at: now - 1_000)
        func request(_ id: Int64, _ name: String = "demo") -> ReservationStore.Request {
            ReservationStore.Request(msgid: id, username: name, amount: Money(micros: 20_000))
        }
        let answers = try ReservationStore.reserve(
            connection,
            [request(old), request(old + 1), request(old + 2), request(young), request(5, "poor"), request(6, "credits"), request(7, "no")])
        #expect(answers == [.reserved, .reserved, .reserved, .reserved, .balanceTooLow, .notNeeded, .unknownAccount])
        #expect(try BillingTests.balance(connection) == Money(micros: 920_000))
        // One of them is in the log, another was priced.
        _ = try connection.execute("INSERT INTO routelog (msgid) VALUES ($1)", [.int(old + 1)])
        let transform = BillingTransform(
            tables: { BillingTables(prices: BillingTests.prices) }, ids: SharedMessageIDs(MessageIDs(slot: 0)),
            connect: { try Connection(url: url, applicationName: "billing") })
        _ = try transform.process([StageFixtures.record(Topics.routed, 0, StageFixtures.message(old + 2))])
        // Its first turn swept already.
        #expect(try connection.query("SELECT msgid FROM ledger WHERE kind = 4").map { try $0.int(0) } == [old])
        #expect(try BillingTests.balance(connection) == Money(micros: 1_000_000 - 20_000 - 50_000 - 20_000))
        #expect(try ReservationStore.release(connection, [old, old + 2], why: "again") == 0)
        // One account got its balance past the ledger, and the log lacks a charge.
        #expect(try ReconcileStore.run(connection, now: now).differences.map(\.username) == ["poor", "demo"])
    }

    @Test func `messages from phones and, with DISABLE_CREDITS, accounts without a balance cost nothing`() async throws {
        let (url, connection) = try StageFixtures.database()
        _ = try connection.execute("INSERT INTO emguser (username) VALUES ('credits')")
        let transform = BillingTransform(
            tables: { BillingTables(prices: BillingTests.prices, providers: ["provider"], clients: ["out"], ignoresCredits: true) },
            ids: SharedMessageIDs(MessageIDs(slot: 0)), connect: { try Connection(url: url, applicationName: "billing") })
        var phone = StageFixtures.message(1, account: "")
        phone.inConnector = "provider"
        let output = try transform.process([
            StageFixtures.record(Topics.routed, 0, phone),
            StageFixtures.record(Topics.routed, 1, StageFixtures.message(2, account: "credits")),
        ])
        let queued = try StageFixtures.records(ShortMessage.self, of: output, to: Topics.queue("out"))
        #expect(queued.map(\.msgid) == [1, 2])
        #expect(queued.allSatisfy { $0.charge.mechanism == 1 && $0.charge.chargeMicros == 0 })
        #expect(try connection.query("SELECT count(*) FROM ledger")[0].int(0) == 0)
    }

    @Test func `a refusal by the router gives the reservation back`() async throws {
        let (url, connection) = try StageFixtures.database()
        _ = try connection.execute("INSERT INTO emguser (username, charge_balance) VALUES ('demo', 1)")
        _ = try ReservationStore.reserve(connection, [.init(msgid: 1, username: "demo", amount: Money(micros: 20_000))])
        var message = StageFixtures.message(1)
        message.charge.mechanism = 2
        message.charge.chargeMicros = 20_000
        let ended = Reports.end(message, as: .rejected, reason: 0, text: "no route", at: 1, reportID: 2)
        let asked = try #require(ended.first { $0.topic == Topics.refunds })
        let transform = BillingTransform(
            tables: { BillingTables(prices: BillingTests.prices) }, ids: SharedMessageIDs(MessageIDs(slot: 0)),
            connect: { try Connection(url: url, applicationName: "billing") })
        for _ in 0..<2 {
            let output = try transform.process([Record(topic: Topics.refunds, partition: 0, offset: 0, key: [], value: asked.value)])
            let charges = try StageFixtures.records(Event.self, of: output, to: Topics.events).map(\.charge)
            #expect(charges.map(\.chargeMicros) == [0])
            #expect(charges.map(\.revision) == [LedgerKind.refund.revision])
            #expect(try BillingTests.balance(connection) == Money(micros: 1_000_000))
        }
    }
}

typealias BillingTests = `Billing on a real database`
