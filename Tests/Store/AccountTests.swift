import Database
import Pricing
import Store
import Testing
import TestSupport

@Suite struct AccessRuleTests {
    private func row(_ ipaddress: Int64?, _ mask: Int?, _ ipstr: String?, _ width: Int?, _ connector: String = "*") -> AccessRow {
        AccessRow(id: 1, ipaddress: ipaddress, ipmask: mask, ipstr: ipstr, ipwidth: width, connector: connector)
    }

    @Test(
        "EMG's integer columns",
        arguments: [
            (3_232_235_520, 24, "192.168.0.77", true), (3_232_235_520, 24, "192.168.1.1", false), (3_232_235_521, 32, "192.168.0.1", true),
            (3_232_235_521, 32, "192.168.0.2", false), (0, 0, "8.8.8.8", true), (0, 0, "2001:db8::1", true),
            (3_232_235_520, 33, "192.168.0.1", false), (-1, 0, "8.8.8.8", false), (3_232_235_520, 24, "::ffff:192.168.0.9", true),
        ])
    func integers(address: Int64, mask: Int, ip: String, allowed: Bool) throws {
        let ip = try #require(IPAddress(ip))
        #expect(AccessRules.allows([row(address, mask, nil, nil)], ip: ip, connector: "in1") == allowed)
    }

    @Test(
        "the text columns, which decide where they are filled",
        arguments: [
            ("2001:db8::", 32, "2001:db8:ffff::1", true), ("2001:db8::", 32, "2001:db9::1", false), ("::1", nil, "::1", true),
            ("10.0.0.0", 8, "10.255.0.1", true), ("10.0.0.0", 9, "10.128.0.1", false), ("10.0.0.0/8", nil, "10.1.1.1", true),
            ("nonsense", 0, "10.1.1.1", false), ("::", 0, "10.1.1.1", true), ("2001:db8::", 33, "2001:db8:8000::", false),
        ] as [(String, Int?, String, Bool)])
    func texts(ipstr: String, width: Int?, ip: String, allowed: Bool) throws {
        let ip = try #require(IPAddress(ip))
        #expect(AccessRules.allows([row(0, 0, ipstr, width)], ip: ip, connector: "in1") == allowed)
    }

    @Test("the connector must fit, and without a row nobody gets in") func connectors() throws {
        let ip = try #require(IPAddress("127.0.0.1"))
        #expect(AccessRules.allows([row(0, 0, nil, nil, "in1")], ip: ip, connector: "in1"))
        #expect(!AccessRules.allows([row(0, 0, nil, nil, "in2")], ip: ip, connector: "in1"))
        #expect(!AccessRules.allows([], ip: ip, connector: "in1"))
    }
}

@Suite final class AccountTests {
    let url: String
    let connection: Connection
    let ip = IPAddress("127.0.0.1") ?? IPNetwork("127.0.0.1/32")?.address

    init() throws {
        url = try TestPostgres.freshDatabase()
        connection = try Connection(url: url, applicationName: "tests")
        try Schema.migrate(connection)
    }

    private func decide(_ username: String, _ password: String, connector: String = "in1") throws -> LoginDecision {
        LoginDecision.decide(
            try AccountStore.findLogin(connection, username: username), password: password, ip: try #require(ip), connector: connector,
            nowMilliseconds: 1_800_000_000_000)
    }

    @Test("a login needs the password, an access row, and no lock") func login() throws {
        var changes = AccountStore.Changes()
        changes.password = "secret"
        try AccountStore.add(connection, username: "demo", balance: Money(micros: 10_000_000), changes: changes, by: "test")
        #expect(try decide("demo", "secret") == .notAllowedFromHere)
        let id = try AccountStore.addAccess(
            connection, username: "demo", network: try #require(IPNetwork("127.0.0.0/8")), connector: "in1", by: "test")
        #expect(
            try AccountStore.addAccess(
                connection, username: "demo", network: try #require(IPNetwork("127.9.9.9/8")), connector: "in1", by: "test") == id)
        guard case .accepted(let account) = try decide("demo", "secret") else {
            Issue.record("it must be let in")
            return
        }
        #expect(account.chargeBalance == Money(micros: 10_000_000))
        #expect(try decide("demo", "Secret") == .wrongPassword)
        #expect(try decide("demo", "") == .wrongPassword)
        #expect(try decide("demo", String(repeating: "x", count: 10_000)) == .wrongPassword)
        #expect(try decide("nobody", "secret") == .unknownUser)
        #expect(try decide("demo", "secret", connector: "in2") == .notAllowedFromHere)

        var lock = AccountStore.Changes()
        lock.lockedUntil = .some(1_800_000_000_001)
        try AccountStore.set(connection, username: "demo", changes: lock, by: "test")
        #expect(try decide("demo", "secret") == .locked(until: 1_800_000_000_001))
        // While it is locked nobody can try passwords.
        #expect(try decide("demo", "wrong") == .locked(until: 1_800_000_000_001))
        lock.lockedUntil = .some(nil)
        #expect(try AccountStore.set(connection, username: "demo", changes: lock, by: "test").lockedUntil == nil)

        try AccountStore.recordLogin(connection, username: "demo", succeeded: true, ip: try #require(ip))
        try AccountStore.recordLogin(connection, username: "demo", succeeded: false, ip: try #require(ip))
        let seen = try #require(try AccountStore.find(connection, username: "demo"))
        #expect(seen.lastIP == "127.0.0.1" && seen.lastLogin != nil && seen.lastFailedLogin != nil)
        #expect(try connection.query("SELECT lastip FROM emguser")[0].int(0) == 2_130_706_433)
    }

    @Test("wrong passwords in a row lock the account for a while, and a good login forgives them") func lockout() throws {
        try AccountStore.add(connection, username: "demo", balance: nil, changes: AccountStore.Changes(), by: "test")
        let address = try #require(ip)
        func fail() throws -> Bool {
            try AccountStore.recordLogin(connection, username: "demo", succeeded: false, ip: address, lockout: (3, 60))
        }
        #expect(try (!fail() && !fail()))
        try AccountStore.recordLogin(connection, username: "demo", succeeded: true, ip: address)
        #expect(try (!fail() && !fail()))
        // From an address that may not log in at all nobody can lock an account.
        #expect(try !AccountStore.recordLogin(connection, username: "demo", succeeded: false, ip: address))
        #expect(try AccountStore.find(connection, username: "demo")?.lockedUntil == nil)
        #expect(try fail())
        let until = try #require(try AccountStore.find(connection, username: "demo")?.lockedUntil)
        let now = try connection.query("SELECT (extract(epoch FROM now()) * 1000)::bigint")[0].int(0)
        #expect((50_000...60_000).contains(until - now))
        #expect(try (!fail() && !fail() && fail()))
    }

    @Test("a remembered password fits its own hash only") func passwordMemory() throws {
        let memory = PasswordMemory()
        let stored = try PasswordHash.make("secret")
        for _ in 0..<2 {
            #expect(memory.fits("secret", stored))
            #expect(!memory.fits("Secret", stored))
        }
        #expect(!memory.fits("secret", try PasswordHash.make("other")))
    }

    @Test("EMG's clear text and MD5 are accepted once, then replaced by scrypt") func upgrade() throws {
        try connection.script(
            """
            INSERT INTO emguser (username, password) VALUES ('plain', 'secret');
            INSERT INTO emguser (username, md5password) VALUES ('md5', '5EBE2294ECD0E0F08EAB7690D2A6EE69');
            INSERT INTO emguser (username) VALUES ('none');
            INSERT INTO emguseraccess (userid, ipaddress, ipmask, connector) SELECT userid, 0, 0, '*' FROM emguser;
            """)
        #expect(try decide("none", "") == .wrongPassword)
        for name in ["plain", "md5"] {
            #expect(try decide(name, "Secret") == .wrongPassword)
            guard case .accepted = try decide(name, "secret") else {
                Issue.record("\(name) must be let in")
                continue
            }
            let record = try #require(try AccountStore.findLogin(connection, username: name))
            try AccountStore.upgradePassword(connection, record, password: "secret")
            let row = try connection.query("SELECT password, md5password, password_scrypt FROM emguser WHERE username = $1", [.text(name)])[
                0]
            #expect(try row.isNull(0) && row.isNull(1))
            #expect(try row.text(2).hasPrefix("scrypt$16384$8$1$"))
            guard case .accepted = try decide(name, "secret") else {
                Issue.record("\(name) must be let in after the upgrade")
                continue
            }
            #expect(try decide(name, "Secret") == .wrongPassword)
        }
    }

    @Test(
        "a stored hash that makes no sense fits nothing and costs nothing",
        arguments: [
            "", "scrypt", "scrypt$16384$8$1$AA==$", "scrypt$0$8$1$AA==$AAAAAAAAAAAAAAAAAAAAAA==",
            "scrypt$1048576$64$1$AA==$AAAAAAAAAAAAAAAAAAAAAA==", "scrypt$3$8$1$AA==$AAAAAAAAAAAAAAAAAAAAAA==",
            "scrypt$-2$8$1$AA==$AAAAAAAAAAAAAAAAAAAAAA==",
        ])
    func brokenHashes(stored: String) {
        #expect(!PasswordHash.verify("secret", scrypt: stored))
    }

    @Test("top-ups move the balance, the ledger and the history together, and never below what is allowed") func topUps() throws {
        var changes = AccountStore.Changes()
        changes.password = "secret"
        try AccountStore.add(connection, username: "demo", balance: Money(micros: 10_000_000), changes: changes, by: "test")
        #expect(try LedgerStore.topUp(connection, username: "demo", amount: Money(micros: -2_500_000), by: "test").description == "7.50")
        #expect(throws: StoreError.self) {
            try LedgerStore.topUp(connection, username: "demo", amount: Money(micros: -7_500_001), by: "test")
        }
        #expect(throws: StoreError.self) { try LedgerStore.topUp(connection, username: "demo", amount: .columnMaximum, by: "test") }
        #expect(throws: StoreError.self) { try LedgerStore.topUp(connection, username: "nobody", amount: Money(micros: 1), by: "test") }
        changes.allowPostpaid = true
        try AccountStore.set(connection, username: "demo", changes: changes, by: "test")
        #expect(try LedgerStore.topUp(connection, username: "demo", amount: Money(micros: -7_500_001), by: "test").micros == -1)
        let sums = try connection.query(
            """
            SELECT (SELECT charge_balance FROM emguser) AS balance, (SELECT sum(amount) FROM ledger) AS ledger,
                (SELECT sum(amount) FROM emgp_balance_history) AS history, (SELECT max(msgid) FROM ledger) AS top,
                (SELECT count(*) FROM ledger) AS entries
            """)[0]
        #expect(try sums.money("ledger") == sums.money("balance"))
        #expect(try sums.money("history") == sums.money("balance"))
        #expect(try sums.int("top") == -1)
        #expect(try sums.int("entries") == 3)
        #expect(throws: StoreError.self) {
            try AccountStore.add(connection, username: "demo", balance: nil, changes: AccountStore.Changes(), by: "test")
        }
    }

    @Test("concurrent top-ups all count") func concurrentTopUps() async throws {
        try AccountStore.add(connection, username: "demo", balance: .zero, changes: AccountStore.Changes(), by: "test")
        let url = self.url
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    let database = Database(url: url, applicationName: "tests")
                    for _ in 0..<25 {
                        try await database.run {
                            _ = try LedgerStore.topUp($0, username: "demo", amount: Money(micros: 10_001), by: "test")
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(try AccountStore.find(connection, username: "demo")?.chargeBalance == Money(micros: 1_000_100))
    }
}
