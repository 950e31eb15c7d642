import Bus
import Configuration
import Database
import Message
import ServiceKit
import Store
import Testing

@testable import DLRMatcher

@Suite struct `A provider's id` {
    @Test(
        arguments: [
            ("12345", "12345"), ("0012345", "12345"), ("00AB", "ab"), ("aB-01", "ab-01"), ("0", ""), ("000", ""), ("", ""),
        ])
    func `is compared without case and zeros in front`(id: String, key: String) {
        #expect(ProviderID.key(id) == key)
    }

    @Test(
        arguments: [
            // As the receipt has it, and what the answer may have said.
            ("439041101", true, nil, ["1a2b3c4d"]), ("1A2B3C4D", true, nil, ["439041101"]),
            // Too short for a guess.
            ("10", true, nil, []), ("99999", true, nil, []),
            ("10", true, .hexThenDecimal, ["a"]), ("0A", false, .hexThenDecimal, ["10"]), ("a", true, .decimalThenHex, ["10"]),
            ("10", false, .decimalThenHex, ["a"]), ("439041101", true, .alike, []),
            // Beyond 64 bits, and no number at all.
            ("99999999999999999999999", true, nil, []), ("f81d4fae-7dec", true, nil, []),
        ] as [(String, Bool, MoneyOptions.IdentifierNotation?, [String])])
    func `may stand in another notation`(id: String, fromReceipt: Bool, notation: MoneyOptions.IdentifierNotation?, others: [String]) {
        let found = ProviderID.others(id, fromReceipt: fromReceipt, notation: notation)
        if notation == nil, !others.isEmpty {
            // Where the notation is not known a number of decimal digits may be hexadecimal too.
            #expect(Set(others).isSubset(of: Set(found)))
        } else {
            #expect(found == others)
        }
    }

    @Test(
        arguments: [
            ("46701234567", "+46701234567", true), ("0046701234567", "46701234567", true), ("0701234567", "46701234567", true),
            ("46701234567", "46701234568", false), ("", "46701234567", false), ("Bank", "46701234567", false),
        ])
    func `goes with a number in any form`(left: String, right: String, same: Bool) {
        #expect(ProviderID.sameNumber(left, right) == same)
    }
}

@Suite struct `Where a report goes` {
    static func connector(_ name: String, _ options: (String, String)...) -> ConnectorConfiguration? {
        let entries = options.map { ConfigurationEntry(key: $0.0, value: $0.1) }
        return ConnectorConfiguration.read(ConfigurationSection(kind: .connector, name: name, entries: entries)).connector
    }

    static let rules = ReportRules(
        [
            connector("in", ("TYPE", "INCOMING"), ("PROTOCOL", "SMPP"), ("ADDRESS", "0.0.0.0:1"), ("USERDB", "x")),
            connector("web", ("TYPE", "INCOMING"), ("PROTOCOL", "HTTP"), ("ADDRESS", "0.0.0.0:2"), ("USERDB", "x"), ("REDIRECT", "hook")),
            connector("hook", ("TYPE", "OUTGOING"), ("PROTOCOL", "HTTP"), ("ADDRESS", "http://h/")),
            connector(
                "tx", ("TYPE", "INCOMING"), ("PROTOCOL", "SMPP"), ("ADDRESS", "0.0.0.0:3"), ("USERDB", "x"), ("MODE", "RX"),
                ("REDIRECT", "web")),
            connector("both", ("TYPE", "INCOMING"), ("PROTOCOL", "SMPP"), ("ADDRESS", "0.0.0.0:4"), ("USERDB", "x"), ("REDIRECT", "hook")),
            connector("loop", ("TYPE", "INCOMING"), ("PROTOCOL", "HTTP"), ("ADDRESS", "0.0.0.0:5"), ("USERDB", "x"), ("REDIRECT", "loop")),
            connector("plain", ("TYPE", "OUTGOING"), ("PROTOCOL", "SMPP"), ("ADDRESS", "h:1"), ("USERNAME", "u")),
            connector("sorted", ("TYPE", "OUTGOING"), ("PROTOCOL", "SMPP"), ("ADDRESS", "h:1"), ("USERNAME", "u"), ("ROUTEDLR", "hook")),
        ].compactMap { $0 })

    @Test(
        arguments: [
            ("back to where it came in", "in", "", "plain", "in"), ("the account's routedlr", "in", "hook", "plain", "hook"),
            ("the bringing connector's ROUTEDLR", "in", "", "sorted", "hook"),
            ("the account's before the connector's", "in", "both", "sorted", "both"),
            ("REDIRECT of a one-way connector", "web", "", "plain", "hook"), ("REDIRECT after REDIRECT", "tx", "", "plain", "hook"),
            ("no REDIRECT where it can be delivered", "both", "", "plain", "both"), ("a circle ends", "loop", "", "plain", "loop"),
            ("a connector that is not configured", "gone", "", "gone too", "gone"),
        ])
    func `is decided by account and connectors`(name: String, origin: String, routeDLR: String, bringer: String, target: String) {
        var message = ShortMessage()
        message.inConnector = origin
        message.reportConnector = routeDLR
        #expect(`Where a report goes`.rules.target(for: message, broughtBy: bringer) == target, "\(name)")
    }
}

@Suite(.serialized) struct `Receipts and their messages` {
    /// One matcher on a database of its own, with records numbered as they come.
    final class Bench {
        let connection: Connection
        let transform: MatcherTransform
        private var offset: Int64 = 0

        init(_ rules: ReportRules = ReportRules()) throws {
            let (url, connection) = try StageFixtures.database()
            self.connection = connection
            transform = MatcherTransform(
                rules: { rules }, ids: SharedMessageIDs(MessageIDs(slot: 0)),
                connect: { try Connection(url: url, applicationName: "matcher") })
        }

        func submit(
            _ msgid: Int64, _ smscids: String..., to number: String = "46701111111", change: (inout ShortMessage) -> Void = { _ in }
        ) throws
            -> StageOutput
        {
            var submission = Submission()
            submission.message = StageFixtures.message(msgid, to: number)
            change(&submission.message)
            submission.connector = "out"
            submission.smscids = smscids
            submission.status = .submitted
            offset += 1
            return try transform.process([StageFixtures.record(Topics.submitted, offset, submission)])
        }

        func receive(_ smscid: String, _ status: Status = .delivered, of number: String = "", id: Int64 = 0) throws -> StageOutput {
            var receipt = Receipt()
            receipt.connector = "out"
            receipt.smscid = smscid
            receipt.msgid = id
            receipt.status = status
            receipt.source.number = number
            receipt.receivedAt = 1_790_000_001_000
            offset += 1
            return try transform.process([StageFixtures.record(Topics.receipts, offset, receipt)])
        }

        func told(_ output: StageOutput, on topic: String = Topics.queue("in")) throws -> [Int64] {
            try StageFixtures.records(ShortMessage.self, of: output, to: topic).map(\.origMsgid)
        }
    }

    @Test(
        arguments: [
            ("the same", "abc1", "abc1", "", [1]), ("other case", "ABC1", "abc1", "", [1]),
            ("zeros in front", "12345", "000012345", "", [1]),
            ("fewer zeros", "000012345", "12345", "", [1]),
            ("hexadecimal answer, decimal report, of that number", "1A2B3C4D", "439041101", "46701111111", [1]),
            ("decimal answer, hexadecimal report, of that number", "439041101", "1a2b3c4d", "0701111111", [1]),
            ("hexadecimal answer, decimal report, of another number", "1A2B3C4D", "439041101", "46702222222", []),
            ("hexadecimal answer, decimal report, of no number", "1A2B3C4D", "439041101", "", []), ("another id", "abc1", "abc2", "", []),
        ] as [(String, String, String, String, [Int64])])
    func `meet in any notation, also where the receipt is first`(
        name: String, answered: String, reported: String, number: String, told: [Int64]
    ) throws {
        let bench = try Bench()
        _ = try bench.submit(1, answered)
        #expect(try bench.told(bench.receive(reported, of: number)) == told, "\(name)")
        let early = try Bench()
        #expect(try early.told(early.receive(reported, of: number)).isEmpty)
        #expect(try early.told(early.submit(1, answered)) == told, "\(name), early")
    }

    @Test func `a configured notation needs no number, and ends all guesses`() throws {
        let connector = `Where a report goes`.connector(
            "out", ("TYPE", "OUTGOING"), ("PROTOCOL", "SMPP"), ("ADDRESS", "h:1"), ("USERNAME", "u"), ("HEXID", "1"))
        let bench = try Bench(ReportRules([connector].compactMap { $0 }))
        _ = try bench.submit(1, "ff")
        #expect(try bench.told(bench.receive("255")) == [1])
        let alike = `Where a report goes`.connector(
            "out", ("TYPE", "OUTGOING"), ("PROTOCOL", "SMPP"), ("ADDRESS", "h:1"), ("USERNAME", "u"), ("HEXID", "0"))
        let strict = try Bench(ReportRules([alike].compactMap { $0 }))
        _ = try strict.submit(1, "1A2B3C4D")
        #expect(try strict.told(strict.receive("439041101", of: "46701111111")).isEmpty)
    }

    @Test func `an id in use twice means the message to that number, and else the newest`() throws {
        let bench = try Bench()
        _ = try bench.submit(1, "7", to: "46701111111")
        _ = try bench.submit(2, "7", to: "46702222222")
        _ = try bench.submit(3, "7", to: "46703333333")
        #expect(try bench.told(bench.receive("7", of: "+46701111111")) == [1])
        #expect(try bench.told(bench.receive("7")) == [3])
        #expect(try bench.told(bench.receive("7")) == [2])
        #expect(try bench.told(bench.receive("7")).isEmpty, "a duplicate")
        // The provider uses the id once more, and its receipt is here before its answer.
        #expect(try bench.told(bench.receive("7", of: "46704444444")).isEmpty)
        #expect(try bench.told(bench.submit(4, "7", to: "46704444444")) == [4])
    }

    @Test func `two parts with one id are closed by one receipt`() throws {
        let bench = try Bench()
        _ = try bench.submit(1, "same", "same", "other")
        #expect(try bench.told(bench.receive("same")).isEmpty)
        #expect(try bench.told(bench.receive("same")).isEmpty)
        #expect(try bench.told(bench.receive("other")) == [1])
    }

    @Test func `an account may have a report for each part`() throws {
        let bench = try Bench()
        _ = try bench.submit(1, "a", "b") { $0.reportPerPart = true }
        #expect(try bench.told(bench.receive("a", .undeliverable)) == [1])
        let last = try bench.receive("b")
        let reports = try StageFixtures.records(ShortMessage.self, of: last, to: Topics.queue("in"))
        #expect(reports.map(\.report.status) == [.delivered])
        // The log has one end for the message: the worst.
        let ends = try StageFixtures.records(Event.self, of: last, to: Topics.events).filter { $0.msgid == 1 && $0.status.isFinal }
        #expect(ends.map(\.status) == [.undeliverable])
    }

    @Test func `a report by our own id closes all parts, and only once`() throws {
        let bench = try Bench()
        _ = try bench.submit(5, "x", "y")
        #expect(try bench.told(bench.receive("", .buffered, id: 5)).isEmpty)
        #expect(try bench.told(bench.receive("", id: 5)) == [5])
        #expect(try bench.told(bench.receive("", id: 5)).isEmpty)
        #expect(try bench.told(bench.receive("", id: 99)).isEmpty)
        #expect(try bench.connection.query("SELECT count(*) FROM early_receipt")[0].int(0) == 0)
    }

    @Test func `who pays on delivery gets the money of what was not delivered`() throws {
        let bench = try Bench()
        for (msgid, policy, status, refunds) in [
            (1, 3, Status.undeliverable, 1), (2, 3, .delivered, 0), (3, 2, .undeliverable, 0), (4, 3, .expired, 1), (5, 3, .relayed, 0),
        ] as [(Int64, UInt32, Status, Int)] {
            _ = try bench.submit(msgid, "id\(msgid)") { $0.charge.policy = policy }
            let output = try bench.receive("id\(msgid)", status)
            let asked = try StageFixtures.records(Submission.self, of: output, to: Topics.refunds)
            #expect(asked.count == refunds, "message \(msgid)")
            #expect(asked.allSatisfy { $0.taken && $0.message.msgid == msgid })
        }
    }

    @Test func `NODLR keeps the gateway from saying delivered by itself`() throws {
        let silent = `Where a report goes`.connector(
            "out", ("TYPE", "OUTGOING"), ("PROTOCOL", "SMPP"), ("ADDRESS", "h:1"), ("USERNAME", "u"), ("DLR_SUPPORT", "0"), ("NODLR", "1"))
        for (rules, told) in [(ReportRules(), [1]), (ReportRules([silent].compactMap { $0 }), [])] as [(ReportRules, [Int64])] {
            let bench = try Bench(rules)
            var relayed = Submission()
            relayed.message = StageFixtures.message(1)
            relayed.connector = "out"
            relayed.status = .relayed
            #expect(try bench.told(bench.transform.process([StageFixtures.record(Topics.submitted, 1, relayed)])) == told)
        }
    }

    @Test func `DLREXPIRE ends what the provider never reports, and the client hears of it`() throws {
        let hasty = `Where a report goes`.connector(
            "out", ("TYPE", "OUTGOING"), ("PROTOCOL", "SMPP"), ("ADDRESS", "h:1"), ("USERNAME", "u"), ("DLREXPIRE", "60"))
        let bench = try Bench(ReportRules([hasty].compactMap { $0 }))
        _ = try bench.submit(1, "never")
        let left = try bench.connection.query("SELECT extract(epoch FROM expires - created)::bigint FROM open_dlr")[0].int(0)
        #expect((59...61).contains(left))
        #expect(try Sweep.run(bench.connection, orphanSeconds: 3_600).records.isEmpty, "not yet")
        _ = try bench.connection.execute("UPDATE open_dlr SET expires = now() - interval '1 second'")
        _ = try bench.connection.execute("UPDATE open_dlr_due SET due = due - interval '62 seconds'")
        // A crash before this is committed finds it again.
        #expect(try Sweep.run(bench.connection, orphanSeconds: 3_600).records.count == 1)
        let swept = try Sweep.run(bench.connection, orphanSeconds: 3_600)
        try swept.afterCommit?()
        #expect(
            try Sweep.run(bench.connection, orphanSeconds: 3_600).records.isEmpty, "once it is written it is not looked at again at once")
        #expect(try bench.connection.query("SELECT count(*) FROM open_dlr_due")[0].int(0) == 1, "but later, while it is open")
        let receipts = try StageFixtures.records(Receipt.self, of: swept, to: Topics.receipts)
        #expect(receipts.map(\.status) == [.expired])
        let output = try bench.transform.process([StageFixtures.record(Topics.receipts, 99, try #require(receipts.first))])
        #expect(try StageFixtures.records(ShortMessage.self, of: output, to: Topics.queue("in")).map(\.report.status) == [.expired])
        // Closed by that, it is kept for an hour, and forgotten then.
        func kept(after interval: String) throws -> Int64 {
            _ = try bench.connection.execute("UPDATE open_dlr_due SET due = due - interval '\(interval)'")
            _ = try bench.connection.execute("UPDATE open_dlr SET closed_at = closed_at - interval '\(interval)'")
            try Sweep.run(bench.connection, orphanSeconds: 3_600).afterCommit?()
            return try bench.connection.query("SELECT count(*) FROM open_dlr")[0].int(0)
        }
        #expect(try kept(after: "59 minutes") == 1)
        #expect(try kept(after: "61 seconds") == 0)
        #expect(try bench.connection.query("SELECT count(*) FROM open_dlr_due")[0].int(0) == 0)
    }

    @Test func `an early receipt that did its work is no orphan, though its matcher died before it tidied up`() throws {
        let bench = try Bench()
        _ = try bench.receive("early")
        #expect(try bench.told(bench.submit(1, "early")) == [1])
        func left() throws -> Int64 { try bench.connection.query("SELECT count(*) FROM early_receipt")[0].int(0) }
        // A moment later the batch may still be replayed, and then needs the receipt.
        try Sweep.run(bench.connection, orphanSeconds: 3_600).afterCommit?()
        #expect(try left() == 1)
        #expect(try bench.told(bench.submit(1, "early")) == [1])
        _ = try bench.connection.execute("UPDATE early_receipt SET received = now() - interval '11 minutes'")
        try Sweep.run(bench.connection, orphanSeconds: 3_600).afterCommit?()
        #expect(try left() == 0)
        #expect(try bench.connection.query("SELECT count(*) FROM orphan_receipt")[0].int(0) == 0)
    }

    @Test func `a receipt that the provider sends again before its message is known leaves no orphan`() throws {
        let bench = try Bench()
        _ = try bench.receive("again")
        _ = try bench.receive("again")
        let output = try bench.submit(1, "again")
        #expect(try bench.told(output) == [1])
        try output.afterCommit?()
        #expect(try bench.connection.query("SELECT count(*) FROM early_receipt")[0].int(0) == 0)
    }

    @Test func `a receipt that is repeated after its entry is gone is no orphan, and one for an id that is used again finds its message`()
        throws
    {
        let bench = try Bench()
        let rest: (String) throws -> Int64 = { try bench.connection.query("SELECT count(*) FROM \($0)")[0].int(0) }
        func later() throws {
            try bench.connection.script(
                """
                UPDATE open_dlr SET closed_at = closed_at - interval '2 hours';
                UPDATE open_dlr_due SET due = due - interval '2 hours';
                UPDATE early_receipt SET received = received - interval '2 hours';
                """)
            try Sweep.run(bench.connection, orphanSeconds: 3_600).afterCommit?()
        }
        for (message, smscid) in [(Int64(1), "00Once"), (2, "twice")] {
            _ = try bench.submit(message, smscid)
            #expect(try bench.told(bench.receive(smscid)) == [message])
        }
        try later()
        #expect(try rest("open_dlr") == 0 && rest("closed_dlr") == 2)
        // Spelled a little differently, as providers do.
        #expect(try bench.told(bench.receive("once")).isEmpty)
        #expect(try bench.told(bench.receive("strange")).isEmpty)
        #expect(try ReportStore.orphans(bench.connection, limit: 10).map(\.smscid) == ["strange"], "the repeated one is not listed")
        // The other id is used again, and its receipt comes first.
        #expect(try bench.told(bench.receive("twice")).isEmpty)
        #expect(try bench.told(bench.submit(3, "twice")) == [3])
        try later()
        #expect(try bench.connection.query("SELECT smscid FROM orphan_receipt").map { try $0.text(0) } == ["strange"])
        #expect(try rest("early_receipt") == 0)
        // They are not kept for ever.
        _ = try bench.connection.execute("UPDATE closed_dlr SET at = at - interval '3 hours'")
        _ = try Sweep.run(bench.connection, orphanSeconds: 3_600)
        #expect(try rest("closed_dlr") == 0)
    }

    @Test func `a receipt that nothing was submitted for becomes an orphan, and its late partner still finds it before`() throws {
        let bench = try Bench()
        _ = try bench.receive("lost", of: "4670")
        _ = try bench.connection.execute("UPDATE early_receipt SET received = now() - interval '2 hours'")
        _ = try Sweep.run(bench.connection, orphanSeconds: 10_000)
        #expect(try bench.connection.query("SELECT count(*) FROM orphan_receipt")[0].int(0) == 0, "ORPHANTIME is not over")
        _ = try Sweep.run(bench.connection, orphanSeconds: 3_600)
        let orphans = try bench.connection.query("SELECT connector, smscid, note FROM orphan_receipt")
        #expect(orphans.count == 1)
        #expect(try orphans[0].text(1) == "lost")
        #expect(try bench.connection.query("SELECT count(*) FROM early_receipt")[0].int(0) == 0)
    }
}

extension Sweep {
    /// One that begins at the first early receipt.
    fileprivate static func run(_ connection: Connection, orphanSeconds: Int) throws -> StageOutput {
        var place = EarlyReceipts.Place()
        return try run(connection, from: &place, orphanSeconds: orphanSeconds)
    }
}
