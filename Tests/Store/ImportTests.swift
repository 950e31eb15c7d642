import Database
import Pricing
import Store
import Testing
import TestSupport

@Suite struct `A CSV table` {
    @Test(
        arguments: [
            ("a,b\n1,2\n", ["a", "b"], [["1", "2"]]), ("A ; b\r\n1;\"x;\"\"y\"\"\"\r\n", ["a", "b"], [["1", "x;\"y\""]]),
            ("\u{FEFF}a\tb\n\n1\t2", ["a", "b"], [["1", "2"]]), ("a,b\n\"1\n2\",3\n", ["a", "b"], [["1\n2", "3"]]),
            ("a\n\"\"\n", ["a"], [[""]]),
        ] as [(String, [String], [[String]])])
    func `reads commas, semicolons and tabs, quotes and line ends`(text: String, columns: [String], rows: [[String]]) {
        let table = CSVTable(Array(text.utf8))
        #expect(table.columns == columns)
        #expect(table.records.map(\.fields) == rows)
        #expect(table.faults.isEmpty)
    }

    @Test func `names the lines that do not fit, and goes on`() {
        let table = CSVTable(Array("a,b\n1\n\"x\ny\",2,3\n4,5\n".utf8))
        #expect(table.faults.map(\.line) == [2, 3])
        #expect(table.records.map(\.line) == [5])
        #expect(CSVTable([]).faults.count == 1)
        #expect(CSVTable(Array("a,a\n".utf8)).faults.count == 1)
        #expect(CSVTable(Array("a\n\"x".utf8)).faults.count == 1)
        // Any bytes are read without a trap.
        #expect(CSVTable(Array(0...255)).faults.count <= 3)
    }
}

@Suite final class ImportTests {
    let connection: Connection

    init() throws {
        connection = try Connection(url: try TestPostgres.freshDatabase(), applicationName: "tests")
        try Schema.migrate(connection)
    }

    @Test func `every fault of a price list is named by its line, and nothing is applied`() throws {
        let text = """
            prefix,charge,cost,account,currency,from,until
            46,0.05,0.02,,EUR,2026-01-01,
            4x,0.05,,,EUR,,
            47,-1,,,EUR,,
            48,0.0000001,,,EUR,,
            49,,,,EUR,,
            50,1,,,euro,,
            51,1,,,EUR,2026-02-01,2026-01-01
            46,0.06,,,EUR,2026-01-01,
            46,0.06,0.03,,EUR,2026-01-01T00:00:00Z,
            52,1,,,EUR,tomorrow,
            53,1
            """
        let (rows, faults) = PriceImport.read(Array(text.utf8))
        #expect(faults.map(\.line) == [3, 4, 5, 6, 7, 8, 10, 11, 12])
        #expect(rows.map(\.line) == [2, 9])
        let unknown = PriceImport.read(Array("prefix,charge,account,out\n46,1,nobody,nowhere\n47,1,,\n".utf8))
        #expect(unknown.faults.isEmpty)
        let late = try PriceImport.apply(connection, unknown.rows, replacing: false, by: "test", progress: { _ in })
        #expect(late.map(\.description) == ["line 2: there is no account nobody", "line 2: there is no connector nowhere"])
        #expect(try PriceStore.load(connection).isEmpty)
        #expect(PriceImport.read(Array("prefix,price\n46,1\n".utf8)).faults.count == 2)
    }

    @Test func `a charge that can never count is refused or named`() throws {
        for (name, currency) in [("crown", "SEK"), ("euro", "EUR")] {
            _ = try connection.execute(
                "INSERT INTO emguser (username, charge_balance, currency) VALUES ($1, 1, $2)", [.text(name), .text(currency)])
        }
        let one = Money(micros: 1_000_000)
        #expect(throws: StoreError.invalid("a charge in EUR would never count for crown, which pays in SEK")) {
            try PriceStore.add(connection, PriceRow(prefix: "46", account: "crown", charge: one, cost: nil), by: "test")
        }
        // What a provider takes may be in any currency.
        try PriceStore.add(connection, PriceRow(prefix: "46", account: "crown", charge: nil, cost: one), by: "test")
        let own = try PriceStore.add(
            connection, PriceRow(prefix: "46", account: "crown", charge: one, cost: nil, currency: "SEK"), by: "test")
        #expect(try PriceStore.misfits(connection, limit: 10).isEmpty)
        let dollars = try PriceStore.add(connection, PriceRow(prefix: "47", charge: one, cost: nil, currency: "USD"), by: "test")
        let list = PriceImport.read(Array("prefix,charge,account,currency\n48,1,crown,EUR\n49,1,euro,EUR\n".utf8))
        #expect(
            try PriceImport.apply(connection, list.rows, replacing: false, by: "test", progress: { _ in }).map(\.description)
                == ["line 2: a charge in EUR would never count for crown, which pays in SEK"])
        // An account may change its currency.
        _ = try connection.execute("UPDATE emguser SET currency = 'NOK' WHERE username = 'crown'")
        #expect(
            try ReconcileStore.run(connection, now: 0).misfits.map(\.words) == [
                "price \(own) (prefix 46, account crown): its charge in SEK never counts, for the account pays in NOK",
                "price \(dollars) (prefix 47): its charge in USD never counts, for no account has that currency",
            ])
        #expect(try PriceStore.misfits(connection, account: "euro", limit: 10).isEmpty)
    }

    @Test func `prices have a version of their own, that nothing else raises`() throws {
        func versions() throws -> [Int64] {
            let row = try connection.query("SELECT version, prices FROM configuration_version")[0]
            return [try row.int(0), try row.int(1)]
        }
        let before = try versions()
        try connection.script("INSERT INTO general_option (ordinal, key, value) VALUES (900, 'NODEID', '1')")
        let configured = try versions()
        #expect(configured[0] > before[0] && configured[1] == before[1])
        let id = try PriceStore.add(connection, PriceRow(prefix: "46", charge: .zero, cost: nil), by: "test")
        let priced = try versions()
        #expect(priced[0] > configured[0] && priced[1] > configured[1])
        try PriceStore.remove(connection, id: id, by: "test")
        #expect(try versions()[1] > priced[1])
    }

    @Test func `a price list is applied whole, and may replace the one before`() throws {
        let first = PriceImport.read(Array("prefix;charge\n46;0.05\n47;0.06\n".utf8))
        #expect(try PriceImport.apply(connection, first.rows, replacing: false, by: "test", progress: { _ in }).isEmpty)
        let second = PriceImport.read(Array("prefix;charge;note\n48;0.07;new\n".utf8))
        var shown: [Int] = []
        #expect(try PriceImport.apply(connection, second.rows, replacing: true, by: "test", progress: { shown.append($0) }).isEmpty)
        #expect(shown == [1])
        #expect(try PriceStore.load(connection, includingDisabled: true).map(\.prefix) == ["48"])
        // What messages name by its id is still there.
        #expect(try connection.query("SELECT count(*) FROM price")[0].int(0) == 3)
    }

    @Test func `EMG's users come with passwords, networks and balances, all or none`() throws {
        let users = """
            userid,username,password,md5password,creditssend,creditssenddec,charge_balance,allowpostpaid,maxsessions,extra9,lockeduntil
            17,old,secret,\\N,5,250000,NULL,0,2,note,0000-00-00 00:00:00
            18,hashed,,5EBE2294ECD0E0F08EAB7690D2A6EE69,0,0,-3.5,1,0,,2030-01-01 00:00:00
            """
        let access = """
            userid,ipaddress,ipmask,connector,ipstr,ipwidth
            17,3232235520,24,*,,
            18,,,in1,2001:db8::,32
            """
        let broken = try AccountImport.run(
            connection, users: Array((users + "\n19,old,x,,0,0,,0,0,,\n20,far,x,,0,1000000,,0,0,,").utf8),
            access: Array((access + "\n99,0,0,*,,\n17,0,40,*,,").utf8), by: "test")
        #expect(
            broken.faults.map(\.description) == [
                "line 4: there is already an account old",
                "line 5: creditssend and creditssenddec are whole numbers, the latter from 0 to 999999",
                "line 4: access: it belongs to none of the accounts of this import",
                "line 5: access: ipmask is a whole number from 0 to 32, not 40",
            ])
        #expect(try AccountStore.list(connection).isEmpty)

        let done = try AccountImport.run(connection, users: Array(users.utf8), access: Array(access.utf8), by: "test")
        #expect(done.faults.isEmpty && done.accounts == 2 && done.access == 2)
        let old = try #require(try AccountStore.find(connection, username: "old"))
        #expect(old.creditsSend == 5 && old.creditsSendMicros == 250_000 && old.chargeBalance == nil && old.maxSessions == 2)
        let hashed = try #require(try AccountStore.find(connection, username: "hashed"))
        #expect(hashed.chargeBalance == Money(micros: -3_500_000) && hashed.allowPostpaid && hashed.lockedUntil != nil)
        #expect(try ReconcileStore.run(connection, now: 0).differences.isEmpty)

        // Each password is good once in its old form, and a hash afterwards.
        for (name, ip, connector) in [("old", "192.168.0.77", "any"), ("hashed", "2001:db8::1", "in1")] {
            for isUpgraded in [false, true] {
                let record = try #require(try AccountStore.findLogin(connection, username: name))
                #expect(record.needsUpgrade != isUpgraded)
                let decision = LoginDecision.decide(
                    record, password: "secret", ip: try #require(IPAddress(ip)), connector: connector,
                    nowMilliseconds: 1_950_000_000_000)
                guard case .accepted = decision else {
                    Issue.record("\(name): \(decision)")
                    return
                }
                try AccountStore.upgradePassword(connection, record, password: "secret")
            }
        }
        let left = try connection.query("SELECT count(*) FROM emguser WHERE password IS NOT NULL OR md5password IS NOT NULL")[0].int(0)
        #expect(left == 0)
    }

    @Test func `every column can be set, and balances only by bookings`() throws {
        try AccountStore.add(connection, username: "demo", balance: Money(micros: 1_000_000), changes: .init(), by: "test")
        // What some of them name.
        try connection.script(
            """
            INSERT INTO connector (name, type, protocol) VALUES ('out', 'OUTGOING', 'SMPP'), ('in', 'INCOMING', 'SMPP');
            INSERT INTO config_section (kind, name) VALUES ('SATPOOL', '1')
            """)
        for column in AccountColumns.settable {
            let value =
                switch column {
                case "route": "out"
                case "routedlr", "routesat": "in"
                case "md5password": "5ebe2294ecd0e0f08eab7690d2a6ee69"
                case "charge_on": "delivery"
                case "logbody": "encrypted"
                case "currency": "SEK"
                case "lockeduntil": "2030-01-01 12:00:00"
                case "charge_balance_postpaid_limit": "-100"
                default: "1"
                }
            try AccountColumns.set(connection, username: "demo", values: [column: value], by: "test")
        }
        #expect(try ReconcileStore.run(connection, now: 0).differences.isEmpty)
        try AccountColumns.set(
            connection, username: "demo", values: ["charge_balance": "2.5", "creditssenddec": "7", "extra3": nil, "allowpostpaid": "0"],
            by: "test")
        let account = try #require(try AccountStore.find(connection, username: "demo"))
        #expect(account.chargeBalance == Money(micros: 2_500_000) && account.creditsSend == 1 && account.creditsSendMicros == 7)
        try AccountColumns.set(connection, username: "demo", values: ["charge_balance": "NULL"], by: "test")
        #expect(try AccountStore.find(connection, username: "demo")?.chargeBalance == nil)
        #expect(try ReconcileStore.run(connection, now: 0).differences.isEmpty)
        for (column, value) in [
            ("lastlogin", "2026-01-01"), ("nonsense", "1"), ("maxsessions", "-1"), ("charge_on", "never"), ("allowpostpaid", "2"),
            ("charge_balance", "x"), ("charge_balance_postpaid_limit", "5"), ("md5password", "abc"), ("currency", "euro"),
            ("lockeduntil", "soon"),
        ] {
            #expect(throws: StoreError.self, "\(column)") {
                try AccountColumns.set(connection, username: "demo", values: [column: value], by: "test")
            }
        }
    }
}
