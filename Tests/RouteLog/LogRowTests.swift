import Message
import Testing

@testable import RouteLog

@Suite struct `A log row` {
    static var accepted: ShortMessage {
        var message = ShortMessage()
        message.msgid = 7
        message.type = .message
        message.account = "demo"
        message.inConnector = "in"
        message.source.number = "A"
        message.destination.number = "46"
        message.times.accepted = 1_000
        message.parts = 1
        return message
    }

    static var submitted: Submission {
        var submission = Submission()
        submission.message = accepted
        submission.message.charge.mechanism = 2
        submission.message.charge.chargeMicros = 50_000
        submission.message.times.answered = 2_000
        submission.connector = "out"
        submission.smscids = ["x1"]
        submission.status = .submitted
        submission.parts = 1
        return submission
    }

    static var delivered: Event {
        var event = Event()
        event.msgid = 7
        event.at = 3_000
        event.status = .delivered
        event.report.status = .delivered
        return event
    }

    @Test func `ends the same, in whatever order its parts come`() {
        let steps: [(inout LogRow) -> Void] = [
            { $0.add(`A log row`.accepted) }, { $0.add(`A log row`.submitted) }, { $0.add(`A log row`.delivered) },
        ]
        var forward = LogRow(msgid: 7)
        for step in steps { step(&forward) }
        var backward = LogRow(msgid: 7)
        for step in steps.reversed() { step(&backward) }
        #expect(forward == backward)
        #expect(forward.status == Int64(Status.delivered.rawValue))
        #expect(forward.reported == 3_000)
        #expect(forward.ended == 2_000)
        #expect(forward.smscid == "x1")
    }

    @Test func `an intermediate report changes only the buffered status`() {
        var row = LogRow(msgid: 7)
        row.add(`A log row`.submitted)
        var event = Event()
        event.msgid = 7
        event.at = 2_500
        event.report.status = .buffered
        row.add(event)
        #expect(row.buffered == Int64(Status.buffered.rawValue))
        #expect(row.reported == nil)
        row.add(`A log row`.delivered)
        #expect(row.status == Int64(Status.delivered.rawValue))
    }

    @Test func `the first end stays`() {
        var row = LogRow(msgid: 7)
        row.add(`A log row`.delivered)
        var late = `A log row`.delivered
        late.status = .rejected
        row.add(late)
        #expect(row.status == Int64(Status.delivered.rawValue))
    }
}
