import Bus
import Database
import Foundation
import Message
import Routing
import ServiceKit
import Store
import Testing

@testable import Router

@Suite(.serialized) struct `Routing on a real database` {
    static let now = wallClockMilliseconds()

    /// Two providers, a client connector; a pool of two numbers.
    static func plan(_ pools: [SourcePool] = [], routes: [Route]? = nil, lists: [AddressRule] = []) -> RoutingPlan {
        RoutingPlan(
            routes: routes ?? [
                Route(id: 1, match: RouteMatch(), target: "out"), Route(id: 2, match: RouteMatch(), target: "other", priority: 1),
                Route(id: 3, match: RouteMatch(prefix: "72", traffic: .mo), target: "in", toAccount: "demo"),
            ],
            connectors: [
                ConnectorFacts(name: "out", isOutgoing: true), ConnectorFacts(name: "other", isOutgoing: true),
                ConnectorFacts(name: "in", isOutgoing: false), ConnectorFacts(name: "in2", isOutgoing: false),
            ], accounts: ["pooled": AccountFacts(routeSAT: nil, pool: "p"), "elsewhere": AccountFacts(routeSAT: "in2", pool: "p")],
            pools: pools, lists: AddressLists(lists))
    }

    static func pool(_ change: (inout SourcePool) -> Void = { _ in }) throws -> SourcePool {
        var pool = SourcePool(name: "p", ranges: [try #require(SourcePool.Range("46700000001-46700000002"))])
        change(&pool)
        return pool
    }

    static func transform(_ url: String, _ plan: RoutingPlan, live: LiveState = .init()) -> RouterTransform {
        RouterTransform(
            plan: { plan }, live: { live }, ids: SharedMessageIDs(MessageIDs(slot: 0)),
            connect: { try Connection(url: url, applicationName: "router") })
    }

    static func message(_ msgid: Int64, to destination: String = "4670", account: String = "demo") -> ShortMessage {
        var message = StageFixtures.message(msgid, to: destination, account: account)
        message.outConnector = ""
        message.times.accepted = now
        return message
    }

    static func run(_ transform: RouterTransform, _ messages: [ShortMessage]) throws -> StageOutput {
        try transform.process(messages.enumerated().map { StageFixtures.record(Topics.accepted, Int64($0.offset), $0.element) })
    }

    static func routed(_ output: StageOutput) throws -> [ShortMessage] {
        try StageFixtures.records(ShortMessage.self, of: output, to: Topics.routed)
    }

    @Test func `a message that a provider refused tries the next, and ends with the last one's words`() throws {
        let transform = Self.transform("", Self.plan())
        var message = Self.message(1)
        #expect(try Self.routed(Self.run(transform, [message])).map(\.outConnector) == ["out"])

        message.triedConnectors = ["out"]
        message.charge.mechanism = 2
        message.charge.chargeMicros = 50_000
        message.attempts = 3
        message.refusal = 11
        message.refusalText = "out: the provider refused it: ESME_RINVDSTADR"
        let second = try Self.run(transform, [message])
        let next = try #require(try Self.routed(second).first)
        #expect(next.outConnector == "other" && next.attempts == 0 && next.charge.chargeMicros == 50_000)
        #expect(second.records.allSatisfy { $0.topic != Topics.queue("in") }, "the client hears nothing yet")

        message.triedConnectors = ["out", "other"]
        let last = try Self.run(transform, [message])
        let ended = try #require(try StageFixtures.records(Submission.self, of: last, to: Topics.submitted).first)
        #expect(
            ended.status == .rejected && ended.reason == 11 && ended.reasonText.contains("ESME_RINVDSTADR") && ended.connector == "other")
        #expect(ended.message.charge.chargeMicros == 50_000, "billing gives this back")
        #expect(last.records.count == 1)
        message.refusal = 0
        message.refusalText = "other: no answer"
        let silent = try StageFixtures.records(Submission.self, of: Self.run(transform, [message]), to: Topics.submitted)
        #expect(silent.map(\.status) == [.failed] && silent.map(\.reasonText) == ["other: no answer"])
    }

    @Test func `without any route a message ends, and its sender is told`() throws {
        let output = try Self.run(Self.transform("", Self.plan(routes: [])), [Self.message(1)])
        let ended = try StageFixtures.records(Event.self, of: output, to: Topics.events).filter { !$0.hasMessage }
        #expect(ended.map(\.status) == [.rejected] && ended.map(\.reasonText) == ["no route"])
        #expect(try StageFixtures.records(ShortMessage.self, of: output, to: Topics.queue("in")).map(\.origMsgid) == [1])
    }

    @Test func `parts of a long message take one way, on every router`() throws {
        let plan = Self.plan(routes: [
            Route(id: 1, match: RouteMatch(), target: "out"), Route(id: 2, match: RouteMatch(), target: "other"),
        ])
        var ways: Set<String> = []
        for reference in UInt8(1)...40 {
            let parts = (UInt8(1)...3).map { part in
                var message = Self.message(Int64(reference) * 1_000 + Int64(part))
                message.body.udh = Data([5, 0, 3, reference, 3, part])
                return message
            }
            // Two routers, each with some of the parts.
            let first = try Self.routed(Self.run(Self.transform("", plan), [parts[0], parts[2]])).map(\.outConnector)
            let second = try Self.routed(Self.run(Self.transform("", plan), [parts[1]])).map(\.outConnector)
            #expect(Set(first + second).count == 1)
            ways.formUnion(first)
        }
        #expect(ways == ["out", "other"])
    }

    @Test func `the provider is given translated numbers, and reports and prices keep the message's own`() throws {
        var rewriting = Route(id: 1, match: RouteMatch(), target: "out")
        rewriting.translation = NumberTranslation(strip: 2, add: "00", source: "Brand")
        let message = try #require(try Self.routed(Self.run(Self.transform("", Self.plan(routes: [rewriting])), [Self.message(1)])).first)
        #expect(message.destination.number == "4670" && message.sendDestination.number == "0070")
        #expect(message.source.number == "A" && message.sendSource.number == "Brand" && message.sendSource.ton == 5)
    }

    @Test func `a message from a phone reaches its account by the way of reports`() throws {
        var mobile = Self.message(5, to: "72345", account: "")
        mobile.inConnector = "out"
        mobile.reportRequest = .none
        let output = try Self.run(Self.transform("", Self.plan()), [mobile])
        let delivered = try #require(try StageFixtures.records(ShortMessage.self, of: output, to: Topics.queue("in")).first)
        #expect(delivered.account == "demo" && delivered.msgid == 5 && delivered.body.text == "hello")
        #expect(output.records.first { $0.topic == Topics.queue("in") }.map { String(decoding: $0.key, as: UTF8.self) } == "demo")
        let event = try #require(try StageFixtures.records(Event.self, of: output, to: Topics.events).first)
        #expect(event.status == .queued && event.message.account == "demo" && event.message.outConnector == "in")
    }

    @Test func `LOG notes, REJECT ends`() throws {
        let rules = [
            AddressRule(list: .blacklist, field: .source, address: "a", action: .log),
            AddressRule(list: .blacklist, field: .destination, address: "45*"),
        ]
        let output = try Self.run(Self.transform("", Self.plan(lists: rules)), [Self.message(1), Self.message(2, to: "4512")])
        #expect(try Self.routed(output).map(\.msgid) == [1])
        let events = try StageFixtures.records(Event.self, of: output, to: Topics.events).filter { !$0.hasMessage }
        #expect(events.first { $0.msgid == 1 }?.note == "the sender is on the blacklist")
        #expect(events.first { $0.msgid == 2 }?.reasonText == "the recipient is on the blacklist")
    }

    @Test func `a pool's number stands for the sender, and an answer finds the sender again`() throws {
        let (url, _) = try StageFixtures.database()
        let transform = Self.transform(url, Self.plan([try Self.pool()]))
        let batch = [
            Self.message(1, account: "pooled"), Self.message(2, account: "pooled"), Self.message(3, to: "4671", account: "elsewhere"),
            Self.message(4, account: "demo"), Self.message(5, account: "pooled"),
        ]
        let output = try Self.run(transform, batch)
        let routed = try Self.routed(output)
        #expect(routed.map(\.msgid) == [1, 2, 3, 4], "the third message to one phone finds no free number")
        #expect(routed.map { $0.hasSendSource ? $0.sendSource.number : "" } == ["46700000001", "46700000002", "46700000001", ""])
        #expect(routed[0].source.number == "A", "prices and reports keep the sender")
        let ended = try StageFixtures.records(Event.self, of: output, to: Topics.events).filter { !$0.hasMessage }
        #expect(ended.map(\.reasonText) == ["no number of the pool p is free"])
        // The same batch again, as after a crash between the two commits, by another instance: the same numbers.
        let again = try Self.routed(Self.run(Self.transform(url, Self.plan([try Self.pool()])), batch))
        #expect(again.map(\.sendSource.number) == routed.map(\.sendSource.number))

        func answer(_ msgid: Int64, from phone: String, to number: String) throws -> StageOutput {
            var mobile = Self.message(msgid, to: number, account: "")
            mobile.inConnector = "out"
            mobile.source.number = phone
            mobile.reportRequest = .none
            return try Self.run(transform, [mobile])
        }
        let first = try answer(10, from: "+4670", to: "46700000002")
        let delivered = try #require(try StageFixtures.records(ShortMessage.self, of: first, to: Topics.queue("in")).first)
        #expect(delivered.account == "pooled" && delivered.origMsgid == 2 && delivered.destination.number == "A")
        let log = try #require(try StageFixtures.records(Event.self, of: first, to: Topics.events).first)
        #expect(log.message.origMsgid == 2 && log.message.destination.number == "46700000002")
        #expect(
            try StageFixtures.records(ShortMessage.self, of: answer(11, from: "4671", to: "46700000001"), to: Topics.queue("in2")).map(
                \.account)
                == ["elsewhere"], "routesat of the account")
        let stranger = try answer(12, from: "4699", to: "46700000001")
        #expect(try StageFixtures.records(Event.self, of: stranger, to: Topics.events).map(\.reasonText) == ["no route"])
    }

    @Test(arguments: [(true, false, "yes\n\n> hello"), (false, false, "yes"), (true, true, "yes")])
    func `QUOTED_REPLY puts the message that is answered below the answer, of who keeps texts`(
        quotes: Bool, hides: Bool, expected: String
    ) throws {
        let (url, connection) = try StageFixtures.database()
        var plan = Self.plan([try Self.pool { $0.quotesReplies = quotes }])
        if hides {
            plan = RoutingPlan(
                routes: [Route(id: 1, match: RouteMatch(), target: "out")], connectors: Array(plan.connectors.values),
                accounts: ["pooled": AccountFacts(pool: "p", hidesTexts: true)], pools: Array(plan.pools.values))
        }
        let transform = Self.transform(url, plan)
        _ = try Self.run(transform, [Self.message(1, account: "pooled")])
        #expect(try connection.query("SELECT quote IS NOT NULL FROM sat_entry")[0].bool(0) == (quotes && !hides))
        var answer = Self.message(2, to: "46700000001", account: "")
        answer.inConnector = "out"
        answer.source.number = "4670"
        answer.body.text = "yes"
        let output = try Self.run(transform, [answer])
        let delivered = try #require(try StageFixtures.records(ShortMessage.self, of: output, to: Topics.queue("in")).first)
        #expect(delivered.body.text == expected)
        let logged = try #require(try StageFixtures.records(Event.self, of: output, to: Topics.events).first)
        #expect(logged.message.body.text == "yes", "the log has what the phone sent")
    }

    @Test func `a threaded pool keeps one number for a conversation, and numbers come back when they expire`() throws {
        let (url, connection) = try StageFixtures.database()
        let threaded = Self.transform(url, Self.plan([try Self.pool { $0.isThreaded = true }]))
        let numbers = try Self.routed(Self.run(threaded, (1...5).map { Self.message($0, account: "pooled") })).map(\.sendSource.number)
        #expect(numbers == Array(repeating: "46700000001", count: 5))
        var other = Self.message(6, account: "pooled")
        other.source.number = "B"
        #expect(try Self.routed(Self.run(threaded, [other])).map(\.sendSource.number) == ["46700000002"])
        var third = Self.message(7, account: "pooled")
        third.source.number = "C"
        #expect(try Self.routed(Self.run(threaded, [third])).isEmpty)
        _ = try connection.execute("UPDATE sat_entry SET expires = now() - interval '1 second' WHERE source = 'B'")
        #expect(try Self.routed(Self.run(threaded, [third])).map(\.sendSource.number) == ["46700000002"])
        _ = try connection.execute("UPDATE sat_entry SET expires = now() - interval '2 hours'")
        _ = try threaded.idle()
        #expect(try connection.query("SELECT count(*) FROM sat_entry")[0].int(0) == 0)
    }

    @Test func `a pool that ignores the phone gives a number to one sender at a time, and anybody may answer`() throws {
        let (url, _) = try StageFixtures.database()
        let transform = Self.transform(url, Self.plan([try Self.pool { $0.ignoresDestination = true }]))
        let routed = try Self.routed(
            Self.run(
                transform,
                [Self.message(1, account: "pooled"), Self.message(2, to: "4671", account: "pooled"), Self.message(3, account: "pooled")]))
        #expect(routed.map(\.sendSource.number) == ["46700000001", "46700000002"])
        var mobile = Self.message(10, to: "46700000002", account: "")
        mobile.inConnector = "out"
        mobile.source.number = "4699"
        #expect(
            try StageFixtures.records(ShortMessage.self, of: Self.run(transform, [mobile]), to: Topics.queue("in")).map(\.origMsgid) == [2])
    }
}
