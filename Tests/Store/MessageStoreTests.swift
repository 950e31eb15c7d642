import Database
import Foundation
import Pricing
import Testing
import TestSupport

@testable import Store

@Suite final class MessageStoreTests {
    @Test("a message's story holds its row, body, options, bookings and reports") func story() throws {
        let connection = try Connection(url: try TestPostgres.freshDatabase(), applicationName: "tests")
        try Schema.migrate(connection)
        #expect(try MessageStore.show(connection, msgid: 777) == nil)
        try connection.script(
            """
            INSERT INTO routelog (msgid, msgtype, status, startsecs, startmsecs, endsecs, endmsecs, charge)
                VALUES (777, 1, 11, 1800000000, 5, 1800000001, 7, 0.05), (779, 5, 3, 1800000001, 6, NULL, NULL, NULL);
            UPDATE routelog SET origid = 777 WHERE msgid = 779;
            INSERT INTO messagebody (msgid, body, charcode) VALUES (777, 'hello', 'GSM7');
            INSERT INTO messageoptions VALUES (777, 'DLR=1');
            INSERT INTO ledger (msgid, kind, userid, username, amount, balance_after, mechanism) VALUES (777, 1, 1, 'demo', -0.05, 1, 2);
            """)
        let story = try #require(try MessageStore.show(connection, msgid: 777))
        #expect(story.message.acceptedAt == 1_800_000_000_005)
        #expect(story.message.endedAt == 1_800_000_001_007)
        #expect(story.message.reportedAt == nil)
        #expect(story.body?.text == "hello")
        #expect(story.options == ["DLR": "1"])
        #expect(story.reports.map(\.msgid) == [779])
        #expect(story.bookings.map(\.amount.description) == ["-0.05"])
        let encoded = String(decoding: try JSONEncoder().encode(story), as: UTF8.self)
        #expect(encoded.contains(#""msgid":"777""#) && encoded.contains(#""charge":"0.05""#))
    }

    @Test("an account's messages are listed in pages, newest first, without those of others and reports") func pages() throws {
        let connection = try Self.filled()
        let floor = try connection.query("SELECT signalbox_msgid_floor(now() - interval '12 hours')")[0].int(0)
        var before = Int64.max
        var seen: [Int64] = []
        while true {
            let page = try MessageStore.list(connection, account: "few", from: floor, before: before, limit: 4)
            seen += page.map(\.msgid)
            guard let last = page.last else { break }
            before = last.msgid
        }
        let all = try connection.query("SELECT msgid FROM routelog WHERE username = 'few' AND msgtype = 1 ORDER BY msgid DESC")
        #expect(try seen == all.map { try $0.int(0) } && seen.count == 10)
        #expect(try MessageStore.list(connection, account: "nobody", from: floor, before: .max, limit: 4).isEmpty)
    }

    @Test("a list reads what it returns, and not the messages of others", arguments: [StatementPlans.byIndex, .byCost])
    func listPlan(_ plans: StatementPlans) throws {
        let connection = try Self.filled(plans)
        let floor = try connection.query("SELECT signalbox_msgid_floor(now() - interval '12 hours')")[0].int(0)
        // As the service asks: prepared, with a plan that knows no values, made before anybody analyzed the table.
        try connection.script(
            "SET plan_cache_mode = force_generic_plan; PREPARE list (text, bigint, bigint, int) AS \(MessageStore.listStatement)")
        for (account, rows) in [("few", 10), ("many", 100), ("nobody", 0)] {
            let explained = try connection.query(
                "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) EXECUTE list ('\(account)', \(floor), \(Int64.max), 100)"
            ).map { try $0.text(0) }
            let plan = explained.joined(separator: "\n")
            #expect(plan.contains("username") && plan.contains("Limit (actual rows=\(rows)"), "\(plan)")
            for word in ["Seq Scan", "Sort  ", "Removed by Filter"] { #expect(!plan.contains(word), "\(plan)") }
            // Of the partition that has the messages no more is read than is asked for.
            let reads = explained.compactMap { line in
                line.contains("Index Scan") ? line.split(separator: "rows=").last?.prefix { $0.isNumber } : nil
            }.compactMap { Int($0) }
            #expect(!reads.isEmpty && reads.reduce(0, +) <= rows + 1, "\(plan)")
        }
    }

    /// A table with 20,000 messages of one account and ten of another among them, each with a report, and no statistics.
    private static func filled(_ plans: StatementPlans = .byIndex) throws -> Connection {
        let connection = try Connection(url: try TestPostgres.freshDatabase(), applicationName: "tests", plans: plans)
        try Schema.migrate(connection)
        try connection.script(
            """
            INSERT INTO routelog (msgid, msgtype, username)
                SELECT signalbox_msgid_floor(now()) + n * 8 + kind, kind, CASE WHEN n % 2000 = 0 THEN 'few' ELSE 'many' END
                FROM generate_series(1, 20000) n, (VALUES (1), (5)) AS kinds (kind);
            """)
        return connection
    }
}
