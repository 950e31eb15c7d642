import Bus
import Database
import Message
import Pricing
import ServiceKit
import Store
import Testing

@testable import RouteLog

@Suite(.serialized) struct `Summaries and retention of the log` {
    private static let day: Int64 = 86_400_000
    private let url: String
    private let connection: Connection
    private let transform: RouteLogTransform
    private let today = wallClockMilliseconds() / 86_400_000 * 86_400_000

    init() throws {
        let (url, connection) = try StageFixtures.database()
        (self.url, self.connection) = (url, connection)
        transform = RouteLogTransform(connect: { try Connection(url: url, applicationName: "routelog") })
        try connection.script("INSERT INTO emguser (username, charge_balance) VALUES ('a', 0), ('b', 0)")
        try connection.script("INSERT INTO price (prefix, charge) VALUES ('', 0.05), ('467', 0.03)")
        _ = try connection.query("SELECT signalbox_ensure_partitions((now() AT TIME ZONE 'UTC')::date - 4, 6)")
    }

    /// Messages of the last four days, some in every hour, at the hours' edges too.
    private func messages() -> [ShortMessage] {
        var ids = MessageIDs(slot: 1)
        var messages: [ShortMessage] = []
        for hour in stride(from: today - 3 * Self.day, to: today, by: 7 * 3_600_000) {
            for (number, offset) in [0, 1, 1_800_000, 3_599_999].enumerated() {
                let moment = hour + Int64(offset)
                var message = StageFixtures.message(
                    ids.next(now: moment), to: number % 2 == 0 ? "4670" : "4570", account: number < 3 ? "a" : "b",
                    parts: UInt32(number % 3 + 1))
                message.times.accepted = moment
                messages.append(message)
            }
        }
        return messages
    }

    private func submission(_ message: ShortMessage, _ number: Int) -> Record {
        var submission = Submission()
        submission.message = message
        submission.message.charge.mechanism = 2
        submission.message.charge.chargeMicros = number % 2 == 0 ? 30_000 : 50_001
        submission.message.charge.costMicros = 10_000
        submission.message.charge.chargePriceID = number % 2 == 0 ? 2 : 1
        submission.connector = "out"
        submission.status = number % 5 == 4 ? .failed : .submitted
        submission.parts = message.parts
        return StageFixtures.record(Topics.submitted, 0, submission)
    }

    private func delivered(_ message: ShortMessage, refunded: Bool = false) -> Record {
        var event = Event()
        event.msgid = message.msgid
        event.at = wallClockMilliseconds()
        event.status = .delivered
        event.report.status = .delivered
        if refunded {
            event.charge.mechanism = 2
            event.charge.revision = 60_001
            event.charge.chargeMicros = 0
        }
        return StageFixtures.record(Topics.events, 0, event)
    }

    /// Rows in which the kept summaries and the log itself differ.
    private func differences() throws -> Int {
        let hours = try connection.query(
            """
            WITH log AS (
                SELECT date_trunc('hour', r.starttime) AS hour, r.username, COALESCE(p.prefix, '') AS prefix,
                    COALESCE(r.charge / r.npdus, 0)::numeric(18,6) AS unit, count(*), count(*) FILTER (WHERE status = 11) AS ok,
                    sum(r.npdus) AS parts, sum(COALESCE(r.charge, 0)) AS charge, sum(COALESCE(r.charge_cost, 0)) AS cost
                FROM routelog r LEFT JOIN price p ON p.priceid = r.charge_price_id WHERE r.msgtype = 1 GROUP BY 1, 2, 3, 4),
            kept AS (
                SELECT hour, username, prefix, charge, msgcount, msg_count_ok, npdus, charge_sum, charge_cost_sum
                FROM routelog_hourly WHERE hour >= (SELECT min(hour) FROM log))
            SELECT * FROM ((TABLE log EXCEPT TABLE kept) UNION ALL (TABLE kept EXCEPT TABLE log)) AS d
            """
        ).count
        let months = try connection.query(
            """
            WITH log AS (
                SELECT to_char(hour, 'YYYY-MM'), username, sum(npdus), sum(charge_sum), sum(charge_cost_sum)
                FROM routelog_hourly GROUP BY 1, 2),
            kept AS (SELECT month, username, count, charge, charge_cost FROM monthlysummary JOIN emguser USING (userid))
            SELECT * FROM ((TABLE log EXCEPT TABLE kept) UNION ALL (TABLE kept EXCEPT TABLE log)) AS d
            """
        ).count
        return hours + months
    }

    private func upkeep() throws { while try SummaryStore.refreshSome(connection) {} }

    private func sums() throws -> [String] {
        try connection.query(
            "SELECT sum(msgcount)::text || ' ' || sum(npdus) || ' ' || sum(charge_sum) FROM routelog_hourly"
        ).map { try $0.text(0) }
    }

    @Test func `summaries equal the log, also after late news of old hours and across dropped days`() throws {
        let messages = messages()
        #expect(messages.count > 20)
        _ = try transform.process(messages.map { StageFixtures.record(Topics.accepted, 0, $0) })
        try upkeep()
        #expect(try differences() == 0)
        _ = try transform.process(messages.enumerated().map { submission($1, $0) })
        #expect(try differences() > 0, "the comparison sees a difference")
        try upkeep()
        #expect(try differences() == 0)
        // Late reports, one of which gives the money back.
        _ = try transform.process([delivered(messages[0]), delivered(messages[5], refunded: true)])
        let before = try LogRetention.apply(connection, days: 2, now: today + 1)
        #expect(Set(before.map { String($0.prefix { $0 != "_" }) }) == ["routelog", "messageoptions", "messagebody"])
        try upkeep()
        #expect(try differences() == 0)
        // What was dropped was summed up with its last news, and stays so.
        #expect(try connection.query("SELECT sum(msgcount) FROM routelog_hourly")[0].text(0) == "\(messages.count)")
        #expect(try connection.query("SELECT count(*) FROM routelog")[0].int(0) < Int64(messages.count))
        let sums = try sums()
        let rows = try connection.query("SELECT count(*) FROM routelog")[0].int(0)
        _ = try transform.process([delivered(messages[1]), StageFixtures.record(Topics.accepted, 1, messages[1])])
        try upkeep()
        try SummaryStore.refresh(connection)
        #expect(try self.sums() == sums)
        #expect(try connection.query("SELECT count(*) FROM routelog")[0].int(0) == rows)
    }

    @Test func `retention drops whole days that are over, once, and nothing else`() throws {
        let names = { [connection] in
            try connection.query("SELECT relname FROM pg_class WHERE relname ~ '^routelog_[0-9]{8}$' AND relkind = 'r'").count
        }
        let before = try names()
        #expect(try LogRetention.days(connection) == nil)
        try connection.script("INSERT INTO general_option (ordinal, key, value) VALUES (1, 'LOGRETENTION', '3')")
        let days = try #require(try LogRetention.days(connection))
        #expect(try LogRetention.apply(connection, days: days, now: today + Self.day - 1).count == 3, "one day of three tables")
        #expect(try names() == before - 1)
        #expect(try LogRetention.apply(connection, days: days, now: today + Self.day - 1).isEmpty)
        // A longer time does not bring back what is gone: the horizon stays.
        #expect(try LogRetention.apply(connection, days: 100, now: today).isEmpty)
        #expect(try connection.query("SELECT first_hour FROM log_horizon")[0].int(0) == (today / Self.day - 3) * 24)
    }

    @Test func `several may refresh at once`() async throws {
        _ = try transform.process(messages().map { StageFixtures.record(Topics.accepted, 0, $0) })
        let url = url
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    _ = try await Database(url: url, applicationName: "tests").run { try SummaryStore.refresh($0) }
                }
            }
            try await group.waitForAll()
        }
        #expect(try differences() == 0)
    }
}
