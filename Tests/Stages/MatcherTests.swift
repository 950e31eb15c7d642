import Bus
import Database
import Message
import ServiceKit
import Testing

@testable import DLRMatcher

@Suite(.serialized) struct `The DLR matcher on a real database` {
    static func submission(_ msgid: Int64, _ smscids: [String]) -> Submission {
        var submission = Submission()
        submission.message = StageFixtures.message(msgid)
        submission.connector = "out"
        submission.smscids = smscids
        submission.status = .submitted
        return submission
    }

    static func receipt(_ smscid: String, _ status: Status = .delivered) -> Receipt {
        var receipt = Receipt()
        receipt.connector = "out"
        receipt.smscid = smscid
        receipt.status = status
        receipt.receivedAt = 1_790_000_001_000
        return receipt
    }

    static func reports(_ output: StageOutput) throws -> [Int64] {
        try StageFixtures.records(ShortMessage.self, of: output, to: Topics.queue("in")).map(\.origMsgid)
    }

    @Test func `each message gets one report, whatever the order, the repetitions and the crashes`() async throws {
        let (url, connection) = try StageFixtures.database()
        func fresh() -> MatcherTransform {
            MatcherTransform(
                rules: { ReportRules() }, ids: SharedMessageIDs(MessageIDs(slot: 0)),
                connect: { try Connection(url: url, applicationName: "matcher") })
        }
        let transform = fresh()
        func submitted(_ offset: Int64, _ submission: Submission) -> Record { StageFixtures.record(Topics.submitted, offset, submission) }
        func received(_ offset: Int64, _ receipt: Receipt) -> Record { StageFixtures.record(Topics.receipts, offset, receipt) }

        // In order.
        #expect(try Self.reports(transform.process([submitted(0, Self.submission(1, ["a"]))])).isEmpty)
        #expect(try Self.reports(transform.process([received(0, Self.receipt("a"))])) == [1])
        // The same batch again, as after a crash between the two commits: the same report.
        #expect(try Self.reports(fresh().process([received(0, Self.receipt("a"))])) == [1])
        // The provider says it twice: no second report.
        #expect(try Self.reports(transform.process([received(1, Self.receipt("a"))])).isEmpty)

        // The receipt comes first; the submission's batch is given twice before its tidying runs.
        #expect(try Self.reports(transform.process([received(2, Self.receipt("b"))])).isEmpty)
        #expect(try Self.reports(transform.process([submitted(1, Self.submission(2, ["b"]))])) == [2])
        let output = try transform.process([submitted(1, Self.submission(2, ["b"]))])
        #expect(try Self.reports(output) == [2])
        try output.afterCommit?()
        #expect(try connection.query("SELECT count(*) FROM early_receipt")[0].int(0) == 0)

        // Both in one batch.
        #expect(try Self.reports(transform.process([received(3, Self.receipt("c")), submitted(2, Self.submission(3, ["c"]))])) == [3])

        // Three parts: one report, when the last part is closed, with the worst end.
        _ = try transform.process([submitted(3, Self.submission(4, ["d1", "d2", "d3"]))])
        #expect(
            try Self.reports(transform.process([received(4, Self.receipt("d2")), received(5, Self.receipt("d1", .undeliverable))])).isEmpty)
        let last = try transform.process([received(6, Self.receipt("d3"))])
        let report = try #require(try StageFixtures.records(ShortMessage.self, of: last, to: Topics.queue("in")).first)
        #expect(report.origMsgid == 4)
        #expect(report.report.status == .undeliverable)
        #expect(
            try Self.reports(transform.process([received(5, Self.receipt("d1", .undeliverable))])).isEmpty, "a replay of an earlier part")

        // What vendors' parameters say goes to the client, and again after a crash; not into the log.
        _ = try transform.process([submitted(9, Self.submission(40, ["v"]))])
        var told = Self.receipt("v")
        var option = Option()
        option.name = "TLV:0x1401"
        option.value = "0A0B"
        told.options = [option]
        for matcher in [transform, fresh()] {
            let output = try matcher.process([received(90, told)])
            let report = try #require(try StageFixtures.records(ShortMessage.self, of: output, to: Topics.queue("in")).first)
            #expect(report.origMsgid == 40 && report.options == [option] && report.report.options.isEmpty)
            let events = try StageFixtures.records(Event.self, of: output, to: Topics.events)
            #expect(events.allSatisfy { $0.report.options.isEmpty })
        }

        // An intermediate report is news for the log only.
        _ = try transform.process([submitted(4, Self.submission(5, ["e"]))])
        let buffered = try transform.process([received(7, Self.receipt("e", .buffered))])
        #expect(try Self.reports(buffered).isEmpty)
        #expect(try StageFixtures.records(Event.self, of: buffered, to: Topics.events).map(\.report.status) == [.buffered])
        #expect(try Self.reports(transform.process([received(8, Self.receipt("e"))])) == [5])

        // A provider that uses an id again means the newer message.
        _ = try transform.process([submitted(5, Self.submission(6, ["a"]))])
        #expect(try Self.reports(transform.process([received(9, Self.receipt("a"))])) == [6])

        // A refusal at the provider's answer is reported at once.
        var refused = Self.submission(7, [])
        refused.status = .rejected
        refused.reason = 11
        #expect(try Self.reports(transform.process([submitted(6, refused)])) == [7])
    }
}
