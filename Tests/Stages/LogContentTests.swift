import Bus
import Database
import Message
import ServiceKit
import Store
import Synchronization
import Testing

@testable import RouteLog

@Suite(.serialized) struct `What the log keeps of a message's content` {
    private static let keyFile = "k1 " + String(repeating: "5c", count: 32)
    private let url: String
    private let connection: Connection
    private let message: ShortMessage

    init() throws {
        (url, connection) = try StageFixtures.database()
        var ids = MessageIDs(slot: 1)
        var message = StageFixtures.message(ids.next(now: wallClockMilliseconds()))
        message.priority = 1
        self.message = message
        try connection.script(
            """
            INSERT INTO emguser (username, charge_balance) VALUES ('demo', 0);
            INSERT INTO connector (name, type, protocol) VALUES ('in', 'INCOMING', 'SMPP'), ('out', 'OUTGOING', 'SMPP');
            INSERT INTO connector_option (connector, ordinal, key, value)
                SELECT name, number, key, value FROM connector, LATERAL (
                    VALUES (1, 'TYPE', type), (2, 'PROTOCOL', protocol), (3, 'ADDRESS', '127.0.0.1:1'), (4, 'USERNAME', 'x'), (5, 'PASSWORD', 'x')) AS o (number, key, value)
            """)
    }

    private func transform(_ keys: BodyKeys? = nil, _ onPolicy: @escaping (LogPolicy) -> Void = { _ in }) -> RouteLogTransform {
        let url = url
        return RouteLogTransform(connect: { try Connection(url: url, applicationName: "routelog") }, keys: keys, onPolicy: onPolicy)
    }

    private func accepted(_ message: ShortMessage? = nil) -> Record {
        var message = message ?? self.message
        message.outConnector = ""
        return StageFixtures.record(Topics.accepted, 0, message)
    }

    private var submitted: Record {
        var submission = Submission()
        submission.message = message
        submission.connector = "out"
        submission.status = .submitted
        return StageFixtures.record(Topics.submitted, 0, submission)
    }

    private func counts() throws -> [Int64] {
        try ["routelog", "messagebody", "messageoptions"].map {
            min(1, try connection.query("SELECT count(*) FROM \($0) WHERE msgid = $1", [.int(message.msgid)])[0].int(0))
        }
    }

    @Test(
        "by connector: where it came in, where it leaves, or everywhere",
        arguments: [
            ([], [], [1, 1, 1]), ([], ["DISABLE_MESSAGEBODY"], [1, 0, 1]), ([], ["DISABLE_MESSAGEOPTION"], [1, 1, 0]),
            (["in"], ["DISABLE_MESSAGEBODY"], [1, 0, 1]), (["in"], ["DISABLE_MESSAGEOPTION"], [1, 1, 0]),
            (["out"], ["DISABLE_MESSAGEBODY", "DISABLE_MESSAGEOPTION"], [1, 0, 0]),
        ] as [([String], [String], [Int64])])
    func connectors(places: [String], keys: [String], expected: [Int64]) throws {
        let transform = transform()
        // The policy before the change was read already.
        _ = try transform.process([accepted(StageFixtures.message(message.msgid - 1))])
        for (number, key) in keys.enumerated() {
            for place in places {
                try connection.execute(
                    "INSERT INTO connector_option (connector, ordinal, key) VALUES ($1, $2, $3)",
                    [.text(place), .int(number + 10), .text(key)])
            }
            if places.isEmpty {
                try connection.execute("INSERT INTO general_option (ordinal, key) VALUES ($1, $2)", [.int(number), .text(key)])
            }
        }
        _ = try transform.process([accepted()])
        if places != ["out"] { #expect(try counts() == expected) }
        _ = try transform.process([submitted])
        #expect(try counts() == expected)
        // Replayed in the other order it is the same.
        _ = try transform.process([accepted()])
        #expect(try counts() == expected)
        _ = try transform.process([submitted, accepted()])
        #expect(try counts() == expected)
    }

    @Test func `a connector may say no where the general keyword says yes`() throws {
        try connection.script(
            """
            INSERT INTO general_option (ordinal, key) VALUES (1, 'DISABLE_MESSAGEBODY');
            INSERT INTO connector_option (connector, ordinal, key, value)
                VALUES ('in', 10, 'DISABLE_MESSAGEBODY', '0'), ('out', 10, 'DISABLE_MESSAGEBODY', '0')
            """)
        _ = try transform().process([accepted(), submitted])
        #expect(try counts() == [1, 1, 1])
    }

    @Test func `an account's texts are left out, its options are not`() throws {
        try AccountColumns.set(connection, username: "demo", values: ["logbody": "none"], by: "test")
        _ = try transform(try BodyKeys(parsing: Self.keyFile)).process([accepted(), submitted])
        #expect(try counts() == [1, 0, 1])
        #expect(throws: StoreError.self) {
            try AccountColumns.set(connection, username: "demo", values: ["logbody": "perhaps"], by: "test")
        }
    }

    @Test func `an account's texts are encrypted, and read where the key is at hand`() throws {
        let keys = try BodyKeys(parsing: Self.keyFile)
        try AccountColumns.set(connection, username: "demo", values: ["logbody": "encrypted"], by: "test")
        let transform = transform(keys)
        for _ in 0..<2 { _ = try transform.process([accepted(), submitted]) }
        let row = try connection.query("SELECT * FROM messagebody WHERE msgid = $1", [.int(message.msgid)])[0]
        #expect(try row.optionalText("body") == nil)
        #expect(try row.text("keyid") == "k1")
        #expect(try connection.query("SELECT 1 FROM messageoption WHERE optionvalue LIKE '%hello%'").isEmpty)
        #expect(try MessageStore.show(connection, msgid: message.msgid, keys: keys)?.body?.text == "hello")
        let without = try #require(try MessageStore.show(connection, msgid: message.msgid)?.body)
        #expect(without.text == nil)
        #expect(without.missing == "encrypted with the key k1, which is not at hand")
        // What its sender replaces does not come back in the clear.
        try MessageOrderStore.replaceBody(connection, msgid: message.msgid, body: "secret", udh: nil, parts: 1)
        #expect(try MessageStore.show(connection, msgid: message.msgid, keys: keys)?.body?.missing == "left out")
    }

    @Test func `without a key nothing is written in the clear, and the operator hears of it`() throws {
        try AccountColumns.set(connection, username: "demo", values: ["logbody": "encrypted"], by: "test")
        let heard = Mutex(0)
        _ = try transform(nil) { policy in heard.withLock { $0 = policy.encryptedAccounts } }.process([accepted(), submitted])
        #expect(try counts() == [1, 0, 1])
        #expect(heard.withLock { $0 } == 1)
    }

    @Test(arguments: ["none", "encrypted"], [false, true])
    func `a phone's message is its account's as soon as that is known`(form: String, isKnownFirst: Bool) throws {
        try AccountColumns.set(connection, username: "demo", values: ["logbody": form], by: "test")
        var fromPhone = message
        fromPhone.account = ""
        fromPhone.inConnector = "out"
        var event = Event()
        event.msgid = message.msgid
        event.status = .queued
        event.message = fromPhone
        event.message.account = "demo"
        let records = [accepted(fromPhone), StageFixtures.record(Topics.events, 0, event)]
        let transform = transform(try BodyKeys(parsing: Self.keyFile))
        for record in isKnownFirst ? records.reversed() : records { _ = try transform.process([record]) }
        let rows = try connection.query("SELECT body FROM messagebody WHERE msgid = $1", [.int(message.msgid)])
        #expect(rows.count == (form == "none" ? 0 : 1))
        for row in rows { #expect(try row.isNull(0)) }
    }
}
