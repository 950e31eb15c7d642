import Bus
import Database
import Message
import Pricing
import ServiceKit
import Testing

@testable import RouteLog

@Suite(.serialized) struct `The message log on a real database` {
    @Test func `a message's life becomes one row, in any order and however often`() async throws {
        let (url, connection) = try StageFixtures.database()
        let transform = RouteLogTransform(connect: { try Connection(url: url, applicationName: "routelog") })
        var ids = MessageIDs(slot: 1)
        let msgid = ids.next(now: wallClockMilliseconds())
        let message = StageFixtures.message(msgid)
        var submission = Submission()
        submission.message = message
        submission.message.charge.mechanism = 2
        submission.message.charge.chargeMicros = 50_000
        submission.message.charge.costMicros = 30_000
        submission.message.charge.chargePriceID = 1
        submission.message.charge.costPriceID = 2
        submission.message.times.answered = 1_790_000_000_500
        submission.connector = "out"
        submission.smscids = ["x"]
        submission.status = .submitted
        submission.parts = 1
        var report = Report()
        report.status = .delivered
        report.connector = "out"
        report.smscid = "x"
        var event = Event()
        event.msgid = msgid
        event.at = 1_790_000_002_250
        event.status = .delivered
        event.report = report
        let reportID = ids.next(now: wallClockMilliseconds())
        let reportRecords = Reports.reportRecords(for: message, report: report, id: reportID, at: 1_790_000_002_260)
        let batch = [
            StageFixtures.record(Topics.events, 0, event), StageFixtures.record(Topics.submitted, 0, submission),
            StageFixtures.record(Topics.accepted, 0, message),
            Record(topic: Topics.events, partition: 0, offset: 1, key: [], value: reportRecords[1].value),
        ]
        for record in batch { _ = try transform.process([record]) }
        _ = try transform.process(batch)
        let rows = try connection.query("SELECT * FROM routelog ORDER BY msgid")
        #expect(rows.count == 2)
        let row = rows[0]
        #expect(try row.int("status") == Int64(Status.delivered.rawValue))
        #expect(try row.int("startsecs") == 1_790_000_000)
        #expect(try row.int("endsecs") == 1_790_000_000)
        #expect(try row.int("endmsecs") == 500)
        #expect(try row.int("lastdlrsecs") == 1_790_000_002)
        #expect(try row.int("lastdlrmsecs") == 250)
        #expect(try row.text("smscid") == "x")
        #expect(try row.text("inconnector") == "in")
        #expect(try row.text("outconnector") == "out")
        #expect(try row.money("charge").micros == 50_000)
        #expect(try row.money("charge_cost").micros == 30_000)
        #expect(try row.int("charge_price_id") == 1)
        #expect(try row.int("charge_cost_price_id") == 2)
        #expect(try row.int("msgtype") == 1)
        #expect(try rows[1].int("msgtype") == 5)
        #expect(try rows[1].int("origid") == msgid)
        #expect(try connection.query("SELECT body FROM messagebody WHERE msgid = $1", [.int(msgid)])[0].text(0) == "hello")
        // The row stands in its day's partition, not in the default one.
        #expect(try connection.query("SELECT count(*) FROM routelog_default")[0].int(0) == 0)
    }
}
