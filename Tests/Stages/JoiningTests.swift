import Bus
import Database
import Foundation
import Message
import RouteLog
import Routing
import ServiceKit
import Testing

@testable import Router

@Suite(.serialized) struct `Parts of long messages on a real database` {
    /// A client connector whose parts wait for each other for a minute.
    static func plan(reassembles: Bool = true) -> RoutingPlan {
        RoutingPlan(
            routes: [Route(id: 1, match: RouteMatch(), target: "out")],
            connectors: [
                ConnectorFacts(name: "out", isOutgoing: true),
                ConnectorFacts(name: "in", isOutgoing: false, reassemblySeconds: reassembles ? 60 : nil),
            ])
    }

    static func transform(_ url: String, reassembles: Bool = true) -> RouterTransform {
        `Routing on a real database`.transform(url, plan(reassembles: reassembles))
    }

    static func part(
        _ msgid: Int64, _ number: UInt8, of total: UInt8 = 3, reference: UInt8 = 7, text: String? = nil, report: ReportRequest = .final
    ) -> ShortMessage {
        var message = `Routing on a real database`.message(msgid)
        message.body.udh = Data([5, 0, 3, reference, total, number])
        message.body.text = text ?? "part \(number). "
        message.reportRequest = report
        return message
    }

    /// Records at the offsets of their message ids.
    static func run(_ transform: RouterTransform, _ messages: [ShortMessage]) throws -> StageOutput {
        try transform.process(messages.map { StageFixtures.record(Topics.accepted, $0.msgid, $0) })
    }

    static func routed(_ output: StageOutput) throws -> [ShortMessage] {
        try StageFixtures.records(ShortMessage.self, of: output, to: Topics.routed)
    }

    /// Message ids of the parts that ended, with the words in the log.
    static func ended(_ output: StageOutput) throws -> [Int64: String] {
        let events = try StageFixtures.records(Event.self, of: output, to: Topics.events).filter { $0.status == .relayed }
        return Dictionary(events.map { ($0.msgid, $0.reasonText) }, uniquingKeysWith: { "\($0), and \($1)" })
    }

    /// What the sweep gives back to the routers, made due at once.
    static func givenUp(_ url: String, _ connection: Connection) throws -> [ShortMessage] {
        _ = try connection.execute("UPDATE message_part SET deadline = now() - interval '1 second', given_up = NULL")
        return try StageFixtures.records(ShortMessage.self, of: transform(url).idle(), to: Topics.due)
    }

    @Test func `parts in one batch go on as one message under the first part's id, and the same batch again says the same`() throws {
        let (url, _) = try StageFixtures.database()
        var charged = Self.part(12, 2)
        charged.charge.mechanism = 2
        charged.charge.chargeMicros = 10_000
        let batch = [Self.part(13, 3), `Routing on a real database`.message(20), Self.part(11, 1), charged]
        let output = try Self.run(Self.transform(url), batch)
        let routed = try Self.routed(output)
        #expect(routed.map(\.msgid) == [20, 11])
        let whole = try #require(routed.last)
        #expect(whole.body.text == "part 1. part 2. part 3. " && whole.body.udh.isEmpty && whole.parts == 1)
        #expect(whole.joined.map(\.msgid) == [11, 12, 13] && whole.joining == .done)
        #expect(try Self.ended(output) == [12: "joined into message 11", 13: "joined into message 11"])
        let refunds = try StageFixtures.records(Submission.self, of: output, to: Topics.refunds)
        #expect(refunds.map(\.message.msgid) == [12], "DEFAULT_CHARGE of a part is given back")
        // As after a crash between the two commits, by another instance.
        let again = try Self.run(Self.transform(url), batch)
        #expect(try Self.routed(again).map(\.msgid) == [20, 11])
        #expect(try Self.routed(again).last?.body == whole.body && Self.ended(again) == Self.ended(output))
        // And in batches cut otherwise: each output once.
        let pieces = try batch.map { try Self.run(Self.transform(url), [$0]) }
        #expect(try pieces.map { try Self.routed($0).map(\.msgid) } == [[], [20], [], [11]])
        #expect(try pieces.map { try Self.ended($0).count } == [0, 0, 0, 2])
    }

    @Test(arguments: [[1, 2, 3], [3, 2, 1], [2, 3, 1]] as [[UInt8]])
    func `parts that come to several routers meet in any order`(order: [UInt8]) throws {
        let (url, _) = try StageFixtures.database()
        var outputs: [StageOutput] = []
        for number in order { outputs.append(try Self.run(Self.transform(url), [Self.part(10 + Int64(number), number)])) }
        #expect(try outputs.map { try Self.routed($0).count } == [0, 0, 1])
        let whole = try #require(try Self.routed(outputs[2]).first)
        #expect(whole.msgid == 11 && whole.body.text == "part 1. part 2. part 3. ")
        let last = 10 + Int64(order[2])
        let again = try Self.run(Self.transform(url), [Self.part(last, order[2])])
        #expect(try Self.routed(again).map(\.body.text) == [whole.body.text] && Self.ended(again).count == 2)
        let first = 10 + Int64(order[0])
        #expect(try Self.run(Self.transform(url), [Self.part(first, order[0])]).records.isEmpty, "it went on with another record")
    }

    @Test func `parts meet only those of their own message`() throws {
        let (url, _) = try StageFixtures.database()
        var elsewhere = Self.part(2, 2, of: 2)
        elsewhere.destination.number = "4671"
        var account = Self.part(3, 2, of: 2)
        account.account = "other"
        var wide = Self.part(4, 2, of: 2)
        wide.body.udh = Data([6, 8, 4, 0, 7, 2, 2])
        var sar = Self.part(5, 2, of: 2)
        sar.body.udh = Data()
        sar.options = [("TLV:0x020C", "0007"), ("TLV:0x020E", "02"), ("TLV:0x020F", "02")].map { name, value in
            var option = Message.Option()
            option.name = name
            option.value = value
            return option
        }
        let strangers = [elsewhere, account, wide, sar, Self.part(6, 2, of: 2, reference: 8), Self.part(7, 2, of: 3)]
        #expect(try Self.routed(Self.run(Self.transform(url), [Self.part(1, 1, of: 2)] + strangers)).isEmpty)
        #expect(try Self.routed(Self.run(Self.transform(url), [Self.part(8, 2, of: 2)])).map(\.joined.count) == [2])
        // Without REASSEMBLE nothing waits, and no database is needed.
        let alone = try Self.routed(Self.run(Self.transform("", reassembles: false), [Self.part(1, 1, of: 2)]))
        #expect(alone.map(\.body.udh.count) == [6])
    }

    @Test func `a part that is said twice is joined once, and one that says something else waits for its own`() throws {
        let (url, _) = try StageFixtures.database()
        let first = [Self.part(1, 1, of: 2, text: "a"), Self.part(2, 1, of: 2, text: "a"), Self.part(3, 1, of: 2, text: "A")]
        #expect(try Self.run(Self.transform(url), first).records.isEmpty)
        let output = try Self.run(Self.transform(url), [Self.part(4, 2, of: 2, text: "b")])
        #expect(try Self.routed(output).map(\.body.text) == ["ab"])
        #expect(try Self.routed(output).map { $0.joined.map(\.msgid) } == [[1, 2, 4]])
        #expect(try Self.ended(output).keys.sorted() == [2, 4])
        let later = try Self.run(Self.transform(url), [Self.part(5, 2, of: 2, text: "B")])
        #expect(try Self.routed(later).map(\.body.text) == ["AB"])
    }

    @Test func `parts that wait in vain go on alone, once, however often they are given up`() throws {
        let (url, connection) = try StageFixtures.database()
        #expect(try Self.run(Self.transform(url), [Self.part(1, 1), Self.part(2, 2)]).records.isEmpty)
        #expect(try StageFixtures.records(ShortMessage.self, of: Self.transform(url).idle(), to: Topics.due).isEmpty, "not yet")
        let once = try Self.givenUp(url, connection)
        #expect(once.map(\.msgid) == [1, 2])
        #expect(try Self.transform(url).idle().records.isEmpty, "not at once again")
        // A crash between the database's commit and Kafka's, or after both: they are given up again.
        let twice = try Self.givenUp(url, connection)
        func fired(_ messages: [ShortMessage], at offset: Int64) -> [Record] {
            messages.enumerated().map { StageFixtures.record(Topics.due, offset + Int64($0.offset), $0.element) }
        }
        let alone = try Self.routed(Self.transform(url).process(fired(once, at: 0)))
        #expect(alone.map(\.msgid) == [1, 2] && alone.allSatisfy { $0.joining == .done && $0.body.udh.count == 6 })
        #expect(try Self.routed(Self.transform(url).process(fired(once, at: 0))).map(\.msgid) == [1, 2], "the same records again")
        #expect(try Self.transform(url).process(fired(twice, at: 2)).records.isEmpty)
        // The third comes too late: it waits by itself.
        #expect(try Self.run(Self.transform(url), [Self.part(3, 3)]).records.isEmpty)
        #expect(try Self.givenUp(url, connection).map(\.msgid) == [3])
        // Also where nobody wants parts joined any more.
        let off = try Self.transform(url, reassembles: false).process(fired([try #require(try Self.givenUp(url, connection).first)], at: 9))
        #expect(try Self.routed(off).map(\.msgid) == [3])
    }

    @Test func `a part that is given up while the last one comes goes on in the whole only`() throws {
        let (url, connection) = try StageFixtures.database()
        #expect(try Self.run(Self.transform(url), [Self.part(1, 1, of: 2)]).records.isEmpty)
        let given = try Self.givenUp(url, connection)
        #expect(try Self.routed(Self.run(Self.transform(url), [Self.part(2, 2, of: 2)])).map(\.body.text) == ["part 1. part 2. "])
        #expect(try Self.transform(url).process(given.map { StageFixtures.record(Topics.due, 0, $0) }).records.isEmpty)
        _ = try connection.execute("UPDATE message_part SET closed_at = now() - interval '2 days'")
        _ = try Self.transform(url).idle()
        #expect(try connection.query("SELECT count(*) FROM message_part")[0].int(0) == 0)
    }

    @Test func `what waits under one reference is bounded`() throws {
        let (url, _) = try StageFixtures.database()
        let flood = (1...600).map { Self.part(Int64($0), 1, of: 2, text: "\($0)") }
        let alone = try Self.routed(Self.run(Self.transform(url), flood))
        #expect(alone.map(\.msgid) == (Int64(PartDesk.maximumWaiting) + 1...600).map { $0 })
        var large = Self.part(700, 1, of: 2, reference: 9)
        large.body.text = String(repeating: "x", count: 3_000)
        #expect(try Self.routed(Self.run(Self.transform(url), [large])).map(\.msgid) == [700], "no phone sends such a part")
    }

    @Test func `a report on the whole is given for each part that asked for one`() throws {
        let (url, _) = try StageFixtures.database()
        let parts = [Self.part(1, 1, report: .none), Self.part(2, 2, report: .onFailure), Self.part(3, 3, report: .final)]
        let whole = try #require(try Self.routed(Self.run(Self.transform(url), parts)).first)
        #expect(whole.reportRequest == .final)
        func told(_ status: Status) throws -> [Int64] {
            var report = Report()
            report.status = status
            var next: Int64 = 100
            func id() -> Int64 {
                next += 1
                return next
            }
            let output = StageOutput(records: Reports.reportRecords(for: whole, report: report, id: id(), at: 1))
            let reports = try StageFixtures.records(ShortMessage.self, of: output, to: Topics.queue("in"))
            #expect(Set(reports.map(\.msgid)).count == reports.count)
            return reports.map(\.origMsgid)
        }
        #expect(try told(.delivered) == [3])
        #expect(try told(.undeliverable) == [2, 3])
        #expect(try told(.buffered).isEmpty)
    }

    @Test(arguments: [false, true]) func `the log has the words of the whole, whichever it reads first`(wholeFirst: Bool) throws {
        let (url, connection) = try StageFixtures.database()
        let parts = [Self.part(1, 1, of: 2), Self.part(2, 2, of: 2)]
        let output = try Self.run(Self.transform(url), parts)
        let accepted = parts.map { StageFixtures.record(Topics.accepted, $0.msgid, $0) }
        let events = output.records.filter { $0.topic == Topics.events }.enumerated().map {
            Record(topic: Topics.events, partition: 0, offset: Int64($0.offset), key: [], value: $0.element.value)
        }
        let log = RouteLogTransform(connect: { try Connection(url: url, applicationName: "routelog") })
        for batch in wholeFirst ? [events, accepted] : [accepted, events] { _ = try log.process(batch) }
        let rows = try connection.query("SELECT body, udh FROM messagebody WHERE msgid = 1")
        #expect(try rows.map { try $0.text(0) } == ["part 1. part 2. "] && rows[0].isNull(1))
        let ends = try connection.query("SELECT msgid, status, reasontext FROM routelog ORDER BY msgid")
        #expect(try ends.map { try $0.int(1) } == [1, 10])
        #expect(try ends[1].text(2) == "joined into message 1")
    }
}
